"""``alarms``: what wants somebody, the acts on it, the rules behind it and the fences that were made here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.alarms.words import Kind, Priority
from app.clock import to_ms
from app.commands.output import Refused, json_option, print_rows
from app.commands.session import Session, moment
from app.commands.words import read_pair

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from app.alarms.rules import Rule

_TABLE = ("id", "group", "priority", "title", "raised_at", "repeats", "acknowledged_by", "assigned_to")
_RULE_TABLE = ("id", "kind", "name", "enabled", "priority", "settings")
_FENCE_TABLE = ("id", "name", "shape", "radius_m", "speed_limit_km_h", "integration_id")
_PRIORITIES = click.Choice([priority.value for priority in Priority])

ids_argument = click.argument("alarm_ids", metavar="ALARM…", nargs=-1, required=True)


@click.group()
def alarms() -> None:
    """Alarms: what somebody must act on."""


@alarms.command(name="list")
@click.option("--all", "with_history", is_flag=True, help="Those that are over, too.")
@json_option
@click.pass_obj
def list_(session: Session, with_history: bool, as_json: bool) -> None:
    """What stands, what was not seen to, what is put off."""
    from app.alarms.listing import HISTORY, HISTORY_ROWS, list_alarms

    now_ms = session.clock.now_ms()
    found = session.read(partial(list_alarms, history=HISTORY_ROWS if with_history else 0))
    rows = [alarm.as_row(now_ms) for alarm in found if with_history or alarm.group(now_ms) != HISTORY]
    print_rows(rows, _TABLE, as_json=as_json)


@alarms.command()
@ids_argument
@json_option
@click.pass_obj
def acknowledge(session: Session, alarm_ids: tuple[str, ...], as_json: bool) -> None:
    """Somebody has seen to these, and to what is folded under them."""
    from app.alarms.acts import acknowledge as act

    _act(session, alarm_ids, partial(act, now_ms=session.clock.now_ms()), as_json=as_json)


@alarms.command()
@ids_argument
@json_option
@click.pass_obj
def end(session: Session, alarm_ids: tuple[str, ...], as_json: bool) -> None:
    """These power cuts are over, which their trackers did not tell."""
    from app.alarms.acts import end as act

    _act(session, alarm_ids, partial(act, now_ms=session.clock.now_ms()), as_json=as_json)


@alarms.command()
@ids_argument
@click.option("--minutes", type=click.IntRange(1), help="For so long.")
@click.option("--until", help="Until this ISO 8601 time.", callback=moment)
@click.option("--reason", required=True, help="Why, for whoever comes next.")
@json_option
@click.pass_obj
def shelve(
    session: Session,
    alarm_ids: tuple[str, ...],
    minutes: int | None,
    until: datetime | None,
    reason: str,
    as_json: bool,
) -> None:
    """Put these off for a time; they come back."""
    from app.alarms.acts import shelve as act

    if (minutes is None) == (until is None):
        raise click.UsageError("Say either --minutes or --until.")
    now_ms = session.clock.now_ms()
    until_ms = to_ms(until) if until is not None else now_ms + (minutes or 0) * 60_000
    _act(session, alarm_ids, partial(act, until_ms=until_ms, reason=reason, now_ms=now_ms), as_json=as_json)


@alarms.command()
@ids_argument
@json_option
@click.pass_obj
def unshelve(session: Session, alarm_ids: tuple[str, ...], as_json: bool) -> None:
    """Take back what was put off."""
    from app.alarms.acts import unshelve as act

    _act(session, alarm_ids, act, as_json=as_json)


@alarms.command()
@ids_argument
@click.option("--to", required=True, help="Who takes care; an empty text for nobody.")
@json_option
@click.pass_obj
def assign(session: Session, alarm_ids: tuple[str, ...], to: str, as_json: bool) -> None:
    """Give these to somebody."""
    from app.alarms.acts import assign as act

    _act(session, alarm_ids, partial(act, to=to), as_json=as_json)


@alarms.command()
@ids_argument
@click.option("--text", required=True)
@json_option
@click.pass_obj
def comment(session: Session, alarm_ids: tuple[str, ...], text: str, as_json: bool) -> None:
    """Add a comment to these."""
    from app.alarms.acts import comment as act

    _act(session, alarm_ids, partial(act, text=text, now_ms=session.clock.now_ms()), as_json=as_json)


def _act(session: Session, wanted: tuple[str, ...], act: Callable[..., int], *, as_json: bool) -> None:
    """All of them in one transaction, or none; prints the rows that it left."""
    from app.alarms.listing import find_alarm

    def job(connection: Connection) -> list[dict[str, Any]]:
        ids = [find_alarm(connection, one).id for one in wanted]
        act(connection, ids)
        return [find_alarm(connection, one).as_row(session.clock.now_ms()) for one in ids]

    print_rows(session.write(job), _TABLE, as_json=as_json)


@alarms.group()
def rules() -> None:
    """The rules that raise alarms."""


@rules.command(name="list")
@json_option
@click.pass_obj
def list_rules_(session: Session, as_json: bool) -> None:
    """All rules with their settings."""
    from app.alarms.rule_book import write_defaults

    session.write(write_defaults)
    _print_rules(session, None, as_json=as_json)


@rules.command(name="add")
@click.argument("kind", type=click.Choice([kind.value for kind in Kind]))
@click.option("--name", required=True, help="By which the operators know it.")
@click.option("--priority", type=_PRIORITIES, default=Priority.LOW.value, show_default=True)
@click.option("--set", "pairs", multiple=True, metavar="SETTING=VALUE", help="Lists as a,b,c.")
@json_option
@click.pass_obj
def add_rule_(session: Session, kind: str, name: str, priority: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """A new rule; `rules list` shows which settings a kind has."""
    from app.alarms.rule_book import add_rule

    values = _values(Kind(kind), pairs)
    job = partial(add_rule, kind=Kind(kind), name=name, priority=Priority(priority), values=values)
    _print_rules(session, session.write(job), as_json=as_json)


@rules.command(name="set")
@click.argument("rule")
@click.option("--name")
@click.option("--priority", type=_PRIORITIES)
@click.option("--set", "pairs", multiple=True, metavar="SETTING=VALUE", help="Lists as a,b,c.")
@json_option
@click.pass_obj
def set_rule(
    session: Session, rule: str, name: str | None, priority: str | None, pairs: tuple[str, ...], as_json: bool
) -> None:
    """Change a rule, named by its id or its name."""
    _change(
        session,
        rule,
        lambda found: {
            "name": name,
            "priority": Priority(priority) if priority else None,
            "values": _values(found.kind, pairs),
        },
        as_json=as_json,
    )


@rules.command()
@click.argument("rule")
@json_option
@click.pass_obj
def enable(session: Session, rule: str, as_json: bool) -> None:
    """Switch a rule on."""
    _change(session, rule, lambda _found: {"enabled": True}, as_json=as_json)


@rules.command()
@click.argument("rule")
@json_option
@click.pass_obj
def disable(session: Session, rule: str, as_json: bool) -> None:
    """Switch a rule off; what it raised about motion ends."""
    _change(session, rule, lambda _found: {"enabled": False}, as_json=as_json)


@rules.command()
@click.argument("rule")
@json_option
@click.pass_obj
def remove(session: Session, rule: str, as_json: bool) -> None:
    """Take a rule away; its alarms stay in the history."""
    from app.alarms.rule_book import remove_rule

    session.write(partial(remove_rule, rule_id=rule))
    _print_rules(session, None, as_json=as_json)


def _change(session: Session, rule: str, changes: Callable[[Rule], Mapping[str, Any]], *, as_json: bool) -> None:
    """What ``changes`` says for the rule as it is, in one transaction; prints the rule that it became."""
    from app.alarms.rule_book import change_rule, find_rule

    def job(connection: Connection) -> str:
        found = find_rule(connection, rule)
        change_rule(connection, found.id, **changes(found))
        return found.id

    _print_rules(session, session.write(job), as_json=as_json)


def _values(kind: Kind, pairs: tuple[str, ...]) -> dict[str, Any]:
    """Texts of the command line as the settings take them; what a list is, the model knows."""
    from app.alarms.rules import MODELS

    fields = MODELS[kind].model_fields
    values: dict[str, Any] = {}
    for name, text in map(read_pair, pairs):
        is_list = name in fields and isinstance(fields[name].default, tuple)
        values[name] = [part.strip() for part in text.split(",") if part.strip()] if is_list else text
    return values


def _print_rules(session: Session, rule_id: str | None, *, as_json: bool) -> None:
    from app.alarms.rule_book import list_rules

    rows = [
        {
            "id": rule.id,
            "kind": rule.kind.value,
            "name": rule.name,
            "enabled": rule.is_enabled,
            "priority": rule.priority.value,
            "settings": rule.settings.model_dump(mode="json"),
        }
        for rule in session.read(list_rules)
        if rule_id in (None, rule.id)
    ]
    if not as_json:
        rows = [{**row, "settings": _plain(row["settings"])} for row in rows]
    print_rows(rows, _RULE_TABLE, as_json=as_json)


def _plain(settings: Any) -> str:
    return " ".join(f"{name}={json.dumps(value)}" for name, value in settings.items() if value != [])


@alarms.group()
def fences() -> None:
    """Fences that were made here, beside those of the servers."""


@fences.command(name="list")
@json_option
@click.pass_obj
def list_fences(session: Session, as_json: bool) -> None:
    """All fences that rules can look at, the servers' too."""
    from app.alarms.own_fences import list_all

    print_rows(session.read(list_all), _FENCE_TABLE, as_json=as_json)


@fences.command(name="add")
@click.argument("name")
@click.option("--lat", type=float, required=True, help="Degrees north.")
@click.option("--lon", type=float, required=True, help="Degrees east.")
@click.option("--radius", type=float, required=True, help="Metres.")
@click.option("--speed-limit", type=float, help="km/h allowed inside.")
@json_option
@click.pass_obj
def add_fence(
    session: Session, name: str, lat: float, lon: float, radius: float, speed_limit: float | None, as_json: bool
) -> None:
    """A circle around a place."""
    from app.alarms.own_fences import add_fences, circle

    new = circle(name, lat, lon, radius, speed_limit)
    _print_fences(session, session.write(partial(add_fences, fences=[new])), as_json=as_json)


@fences.command(name="import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
@click.pass_obj
def import_fences(session: Session, file: Path, as_json: bool) -> None:
    """The polygons of a GeoJSON file."""
    from app.alarms.own_fences import add_fences, read_geojson

    try:
        data = file.read_bytes()
    except OSError as err:
        raise Refused(f"{file} cannot be read: {err.strerror}.") from err
    new = read_geojson(data, file.stem)
    _print_fences(session, session.write(partial(add_fences, fences=new)), as_json=as_json)


@fences.command(name="remove")
@click.argument("fence")
@json_option
@click.pass_obj
def remove_fence_(session: Session, fence: str, as_json: bool) -> None:
    """Take a fence away that was made here, named by its id."""
    from app.alarms.own_fences import remove_fence

    session.write(partial(remove_fence, fence_id=fence))
    _print_fences(session, None, as_json=as_json)


def _print_fences(session: Session, ids: list[str] | None, *, as_json: bool) -> None:
    from app.alarms.own_fences import list_all

    rows = [row for row in session.read(list_all) if ids is None or row["id"] in ids]
    print_rows(rows, _FENCE_TABLE, as_json=as_json)
