"""Setting a programme up from words, as a command line gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection

from app.reports.calendar import ensure_reports
from app.reports.errors import ReportRefused
from app.reports.periods import period_of
from app.reports.programmes import (
    Programme,
    expect,
    expected_facilities,
    list_programmes,
    programme,
    save_programme,
    suggest_programmes,
)

SETTABLE = tuple(field.name for field in fields(Programme) if field.name not in ("id", "integration_id", "program"))


def set_up(
    connection: Connection,
    integration_id: str,
    program: str,
    fields: Mapping[str, str],
    codes: Sequence[str] | None,
    kinds: Sequence[str],
    today: date,
) -> dict[str, Any]:
    """Save a programme's settings and who reports; ``codes`` None: every facility. Returns what stands then.

    Without any codes those that report stay as they are. Raises ReportRefused with the field.
    """
    wanted = with_fields(find_programme(connection, integration_id, program, kinds, today), fields)
    programme_id = save_programme(connection, wanted)
    known = expected_facilities(connection, programme_id)
    if codes is None:
        expect(connection, programme_id, [one.facility for one in known], today)
    elif codes:
        by_code = {one.code: one.facility for one in known} | {one.facility: one.facility for one in known}
        missing = [code for code in codes if code not in by_code]
        if missing:
            raise ReportRefused(f"There is no facility with the code {missing[0]} in that system.", "facility")
        expect(connection, programme_id, [by_code[code] for code in codes], today)
    ensure_reports(connection, today)
    count = sum(one.is_expected for one in expected_facilities(connection, programme_id))
    return {**programme(connection, programme_id).as_row(), "facilities": count}


def find_programme(
    connection: Connection, integration_id: str, program: str, kinds: Sequence[str], today: date
) -> Programme:
    """The programme as it is set up, or with its defaults. Raises ReportRefused for one that nobody told of."""
    for one in list_programmes(connection):
        if (one.integration_id, one.program) == (integration_id, program):
            return one
    offered = suggest_programmes(connection, kinds)
    for one in offered:
        if (one.integration_id, one.program) == (integration_id, program):
            return replace(one, starts_on=first_day(one, today))
    if not program and any(one.integration_id == integration_id for one in offered):
        return Programme(
            "", integration_id, "", "All items", starts_on=period_of(today, "monthly", 1).starts_on.isoformat()
        )
    raise ReportRefused("That system has told of no such programme. See “reports programmes”.", "program")


def first_day(one: Programme, today: date) -> str:
    """By default the first report is that of the period before this one."""
    period = period_of(today, one.rhythm, one.first_month)
    return period_of(
        date.fromordinal(period.starts_on.toordinal() - 1), one.rhythm, one.first_month
    ).starts_on.isoformat()


def with_fields(wanted: Programme, words: Mapping[str, str]) -> Programme:
    """The programme with fields set from words. Raises ReportRefused."""
    values: dict[str, Any] = {}
    for name, word in words.items():
        if name not in SETTABLE:
            raise ReportRefused(f"A programme has no setting “{name}”. It has: {', '.join(SETTABLE)}.", name)
        values[name] = _value(name, word.strip(), getattr(wanted, name))
    return replace(wanted, **values)


def _value(name: str, word: str, now: Any) -> Any:
    if isinstance(now, bool):
        if word.lower() not in ("yes", "no", "true", "false", "on", "off"):
            raise ReportRefused(f"“{word}” is neither yes nor no.", name)
        return word.lower() in ("yes", "true", "on")
    if isinstance(now, tuple):
        return tuple(part.strip() for part in word.replace(";", ",").split(",") if part.strip())
    if isinstance(now, int):
        if not word.isdecimal():
            raise ReportRefused(f"“{word}” is no whole number for {name}.", name)
        return int(word)
    if isinstance(now, float):
        try:
            return float(word)
        except ValueError:
            raise ReportRefused(f"“{word}” is no number for {name}.", name) from None
    return word
