"""Each feature on, or off with a reason in plain words and what mends it: judged from the catalogue and the account."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.connect import capital
from adapters.mod4.inventory import Access, Inventory
from adapters.mod4.rules import RULES, Columns, Rule, Way
from adapters.mod4.shapes import problem_of, trigger_problem
from adapters.mod4.words import REPAIR


@dataclass(frozen=True, slots=True)
class Actor:
    """The account of the platform that this console acts for. ``role`` is its role in the workspace, "" for none."""

    id: str
    email: str = ""
    role: str = ""

    @property
    def is_admin(self) -> bool:
        return self.role in ("owner", "admin")


@dataclass(frozen=True, slots=True)
class Feature:
    """``way`` is how it is served, "" where it is off; ``why`` then says the reason and ``mend`` what to do.

    ``remark`` is for one that is on, and still does not lead where operators expect.
    """

    key: str
    label: str
    without: str
    stream: str
    way: str
    why: str = ""
    mend: str = ""
    remark: str = ""

    @property
    def is_on(self) -> bool:
        return bool(self.way)

    @property
    def reason(self) -> str:
        """Why it is off and what to do, in two sentences."""
        return f"{self.why} {self.mend}".strip()


Features = Mapping[str, Feature]


@dataclass(frozen=True, slots=True)
class _Lack:
    why: str
    mend: str


def judge(inventory: Inventory, actor: Actor | None) -> Features:
    """Every feature, in the order of the rules."""
    found = {}
    for rule in RULES:
        lacks = [(way, _lack(inventory, actor, way)) for way in rule.ways]
        way = next((way.name for way, lack in lacks if lack is None), "")
        told = next((lack for _, lack in lacks if lack is not None), None)
        if way or told is None:
            found[rule.key] = _on(rule, way, _remark(inventory, rule.key))
        else:
            found[rule.key] = _off(rule, told)
    return found


def _on(rule: Rule, way: str, remark: str) -> Feature:
    return Feature(rule.key, rule.label, rule.without, rule.stream, way, remark=remark)


def _off(rule: Rule, lack: _Lack) -> Feature:
    return Feature(rule.key, rule.label, rule.without, rule.stream, "", lack.why, lack.mend)


def _remark(inventory: Inventory, key: str) -> str:
    """What still stands in the way of a feature that works by itself."""
    if key == "make_code":
        if "verify_mod4_otp" not in inventory.functions:
            return "The platform has no function verify_mod4_otp, so that no driver can use a code."
        if problem := problem_of(inventory, "verify_mod4_otp"):
            return f"Drivers cannot use a code yet: {problem}. {REPAIR}"
    if key == "invite":
        return (
            "A driver linked by invitation gets no dispatch record, so that no batch reaches them until they are "
            "linked directly or by a code."
        )
    return ""


def _lack(inventory: Inventory, actor: Actor | None, way: Way) -> _Lack | None:
    """The first thing that this way lacks."""
    for name, arguments in way.calls.items():
        if lack := _function_lack(inventory, name, arguments):
            return lack
    wanted: tuple[tuple[Columns, Access], ...] = (
        (way.reads, "select"),
        (way.updates, "update"),
        (way.inserts, "insert"),
    )
    for columns, access in wanted:
        for name, needed in columns.items():
            if lack := _table_lack(inventory, actor, name, needed, access):
                return lack
    for name, events in way.triggers.items():
        if problem := trigger_problem(inventory, name, events, way.status):
            return _Lack(f"The platform refuses every such change, because {problem}.", REPAIR)
    return _actor_lack(actor, way)


def _actor_lack(actor: Actor | None, way: Way) -> _Lack | None:
    if not way.actor:
        return None
    if actor is None:
        return _Lack(
            "The platform records under whose account this is done, and none is known.",
            "Enter an owner or administrator of the workspace under “Acts in the name of”.",
        )
    if way.actor == "admin" and not actor.is_admin:
        role = f"is “{actor.role}” there" if actor.role else "is no active member of it"
        return _Lack(
            f"Only an owner or administrator of the workspace may do this, and {actor.email or actor.id} {role}.",
            "Enter another account under “Acts in the name of”, or have its role changed in the platform.",
        )
    return None


def _function_lack(inventory: Inventory, name: str, arguments: tuple[str, ...]) -> _Lack | None:
    function = inventory.functions.get(name)
    if function is None:
        return _Lack(f"This database has no function {name}: the platform is older or newer than this console.",
                     "Update the platform, or this console.")  # fmt: skip
    for argument in arguments:
        if argument not in function.arguments:
            return _Lack(f"The function {name} of this database takes no {argument}.",
                         "Update the platform, or this console.")  # fmt: skip
    known = set(arguments)
    required = function.arguments[: len(function.arguments) - function.optional]
    if extra := [argument for argument in required if argument not in known]:
        return _Lack(f"The function {name} of this database asks for {extra[0]}, which this console does not know.",
                     "Update this console.")  # fmt: skip
    if not function.may_call:
        return _Lack(f"{capital(inventory.who)} may not call the function {name}.", inventory.grant)
    if problem := problem_of(inventory, name):
        return _Lack(f"The platform's own function cannot work, because {problem}.", REPAIR)
    return None


def _table_lack(
    inventory: Inventory, actor: Actor | None, name: str, needed: tuple[str, ...], access: Access
) -> _Lack | None:
    facts = inventory.tables.get(name)
    if facts is None:
        return _Lack(f"This database has no table {name}.", "Update the platform, or check the database's name.")
    for column in needed:
        if column not in facts.columns:
            return _Lack(
                f"The table {name} has no column {column}: it was renamed, or the platform is of another version.",
                "Ask the platform's administrator, or update this console.",
            )
    word = {"select": "read", "update": "change", "insert": "add to"}[access]
    if lacking := [column for column in needed if not getattr(facts.columns[column], access)]:
        return _Lack(f"{capital(inventory.who)} may not {word} {name} (column {lacking[0]}).", inventory.grant)
    scope = facts.scope(access)
    if scope == "none":
        return _Lack(f"Row security of {name} lets {inventory.who} {word} no row.", inventory.grant)
    if scope == "own":
        return _Lack(
            f"Row security of {name} lets {inventory.who} {word} only rows of its own account, which are "
            "not those of drivers.",
            inventory.grant,
        )
    if facts.is_secured and actor is None and _asks_for_account(inventory, name, access):
        return _Lack(
            f"Row security of {name} asks whose account it is, and none is known.",
            "Enter an account of the workspace under “Acts in the name of”, or have the role script run.",
        )
    return None


def _asks_for_account(inventory: Inventory, name: str, access: Access) -> bool:
    """Whether every policy that opens the table looks at the account."""
    policies = [
        policy for policy in inventory.tables[name].policies if policy.is_permissive and policy.concerns(access)
    ]
    texts = [(policy.check if access == "insert" else policy.using).lower() for policy in policies]
    return all(any(word in text for word in ("auth.", "workspace_member", "workspace_admin", "has_workspace_role"))
               for text in texts)  # fmt: skip
