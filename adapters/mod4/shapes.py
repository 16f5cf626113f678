"""Why a function of the platform cannot work, seen in its source before it is called (biko.md, section 7, items 4, 7).

The platform's own migrations left functions behind that fail whenever they run: pinned to a search path in which what
they name is not found, writing columns that were dropped, or leaving out columns that became required. Calling one
proves nothing harmless, so their sources are read instead. What is not seen here is met when it is called, and told in
the server's words.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from adapters.mod4.inventory import FunctionFacts, Inventory

_NOISE = re.compile(r"--[^\n]*|/\*.*?\*/|'(?:[^']|'')*'", re.DOTALL)
_RELATION = re.compile(
    r"\b(?:from|join|into|update|only)\s+(?P<name>\"?[a-z_]\w*\"?)(?!\w)(?!\s*\.)(?!\s*\()", re.IGNORECASE
)
_INTO = re.compile(r"\binsert\s+into\s+(?:public\.)?\"?([a-z_]\w*)\"?\s*(?:as\s+\w+\s*)?\(([^()]*)\)", re.IGNORECASE)
_SET = re.compile(
    r"\bupdate\s+(?:public\.)?\"?([a-z_]\w*)\"?\s+(?:as\s+)?(?:(?!set\b)\w+\s+)?set\s+\"?([a-z_]\w*)\"?\s*=",
    re.IGNORECASE,
)
_CALL = re.compile(r"(?<![\w.\"])([a-z_]\w*)\s*\(", re.IGNORECASE)
_QUALIFIED_CALL = re.compile(r"\bpublic\.([a-z_]\w*)\s*\(", re.IGNORECASE)
_CAST = re.compile(r"::\s*\"?([a-z_]\w*)\"?(?!\w)(?!\s*\.)", re.IGNORECASE)
_ROW_TYPE = re.compile(r"(?<![\w.])([a-z_]\w*)%(?:rowtype|type)", re.IGNORECASE)
_WITH = re.compile(
    r"(?:\bwith(?:\s+recursive)?|,)\s+([a-z_]\w*)\s+as\s+(?:not\s+)?(?:materialized\s+)?\(", re.IGNORECASE
)

_NEW_STATUS = re.compile(
    r"\bnew\.status\s*(?:=\s*|\s+is\s+not\s+distinct\s+from\s+)(\(?'[^']*')|\bnew\.status\s+in\s*(\([^)]*\))",
    re.IGNORECASE,
)
_STATUS_SET = re.compile(r"\bset\b[^;]*?\bstatus\s*=\s*'([^']+)'", re.IGNORECASE | re.DOTALL)

CRYPTOGRAPHIC = ("gen_random_bytes", "crypt", "gen_salt")
_DEEPEST = 3


def problem_of(inventory: Inventory, name: str, depth: int = 0) -> str:
    """What keeps the function from working, in words that go on after “, because”; "" where nothing is seen."""
    function = inventory.functions.get(name)
    if function is None or depth > _DEEPEST:
        return ""
    if function.fails:
        return f"{name} {function.fails}"
    source = _NOISE.sub(" ", function.source)
    for found in (
        _unfound_relation(inventory, function, source),
        _unfound_call(inventory, function, source),
        _unfound_type(inventory, function, source),
        _wrong_columns(inventory, source),
    ):
        if found:
            return f"{name} {found}"
    for called in _called(inventory, function, source):
        if called != name and (deeper := problem_of(inventory, called, depth + 1)):
            return deeper
    return _trigger_problem(inventory, source, function.source, depth)


def trigger_problem(inventory: Inventory, table: str, events: str, status: str = "", depth: int = 0) -> str:
    """What keeps rows of a table from being inserted (``i``) or updated (``u``): a trigger that fails.

    One that acts only on other values of ``status`` than the one to be set is no hindrance.
    """
    for trigger in inventory.triggers:
        if trigger.table == table and set(events) & set(trigger.events):
            function = inventory.functions.get(trigger.function)
            if function is None or not _acts_on(f"{trigger.definition} {function.source}", status):
                continue
            found = problem_of(inventory, trigger.function, depth + 1)
            if found:
                return f"the trigger function {found}"
    return ""


def _acts_on(text: str, status: str) -> bool:
    """Whether a trigger acts where this status is set; True where it does not look at it."""
    if not status:
        return True
    lists = ["".join(found) for found in _NEW_STATUS.findall(text)]
    return not lists or any(f"'{status}'" in one for one in lists)


def _sees_public(function: FunctionFacts) -> bool:
    return function.path is None or "public" in function.path


def _unfound_relation(inventory: Inventory, function: FunctionFacts, source: str) -> str:
    if _sees_public(function):
        return ""
    own = {found.lower() for found in _WITH.findall(source)}
    for match in _RELATION.finditer(source):
        name = match["name"].strip('"')
        if name in inventory.relations and name.lower() not in own:
            return f"names the table {name} without its schema, and its search path is {_shown(function)}"
    for name in _ROW_TYPE.findall(source):
        if name in inventory.relations:
            return f"names the table {name} without its schema, and its search path is {_shown(function)}"
    return ""


def _unfound_call(inventory: Inventory, function: FunctionFacts, source: str) -> str:
    if function.path is None:
        return ""
    for name in dict.fromkeys(_CALL.findall(source)):
        places = inventory.places.get(name)
        if places is None:
            if name in CRYPTOGRAPHIC:
                return f"calls {name}, which this database does not have"
        elif "pg_catalog" not in places and not places & set(function.path) and _is_plain(name, source):
            return f"calls {name}, which is in the schema {sorted(places)[0]}, outside its search path"
    return ""


def _is_plain(name: str, source: str) -> bool:
    """Whether it is called by the name alone, and is no column list of an INSERT or alias with columns."""
    return re.search(rf"(?<![\w.\"])(?<!into ){name}\s*\(", source, re.IGNORECASE) is not None


def _unfound_type(inventory: Inventory, function: FunctionFacts, source: str) -> str:
    if _sees_public(function):
        return ""
    for name in _CAST.findall(source):
        if name in inventory.types:
            return f"names the type {name} without its schema, and its search path is {_shown(function)}"
    return ""


def _wrong_columns(inventory: Inventory, source: str) -> str:
    for name, listed in _INTO.findall(source):
        facts = inventory.tables.get(name)
        if facts is None:
            continue
        columns = [one.strip().strip('"').lower() for one in listed.split(",")]
        for column in columns:
            if column and column not in facts.columns:
                return f"writes the column {name}.{column}, which does not exist"
        for column, told in facts.columns.items():
            if told.is_needed and column not in columns:
                return f"adds a row to {name} without {column}, which is required"
    for name, column in _SET.findall(source):
        facts = inventory.tables.get(name)
        if facts is not None and column.lower() not in facts.columns:
            return f"writes the column {name}.{column}, which does not exist"
    return ""


def _called(inventory: Inventory, function: FunctionFacts, source: str) -> Iterator[str]:
    names = list(_QUALIFIED_CALL.findall(source))
    if _sees_public(function):
        names += _CALL.findall(source)
    yield from (name for name in dict.fromkeys(names) if name in inventory.functions)


def _trigger_problem(inventory: Inventory, source: str, whole: str, depth: int) -> str:
    for name in dict.fromkeys(found for found, _ in _INTO.findall(source)):
        if found := trigger_problem(inventory, name, "i", "", depth):
            return found
    for name, column in dict.fromkeys(_SET.findall(source)):
        status = _STATUS_SET.search(whole) if column.lower() == "status" else None
        if found := trigger_problem(inventory, name, "u", status[1] if status else "", depth):
            return found
    return ""


def _shown(function: FunctionFacts) -> str:
    return ", ".join(function.path or ()) or "empty"
