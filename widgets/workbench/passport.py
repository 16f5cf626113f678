"""The passport of a sensor as a page to print: who it is, how it is set, how it measures, the tank's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from adapters.bench import Counters, Level, SensorFacts, SensorSetting
from resources.i18n import tr
from widgets.document import write_document


@dataclass(frozen=True, slots=True)
class Passport:
    """Everything on the page; ``made_at`` and ``where`` are texts ready to be read."""

    facts: SensorFacts
    settings: Sequence[SensorSetting]
    level: Level | None
    counters: Counters
    table: Sequence[tuple[float, float]]
    port: str
    vehicle: str
    made_at: str
    note: str = ""


def write_passport(passport: Passport, path: Path) -> None:
    """One PDF, A4. Raises OSError naming why the file cannot be written. Blocks: call it in a worker thread."""
    write_document(tr("Passport of a fuel sensor"), html(passport), path)


def html(passport: Passport) -> str:
    """The page. Everything from the sensor is text, never markup."""
    facts = passport.facts
    head = [
        (tr("Model"), facts.model), (tr("Serial number"), facts.serial), (tr("Firmware"), facts.firmware),
        (tr("Address"), str(facts.address)), (tr("Kind"), facts.dialect), *facts.details,
        (tr("Vehicle and tank"), passport.vehicle), (tr("Port"), passport.port), (tr("Made"), passport.made_at),
    ]  # fmt: skip
    settings = [(f"{one.label}{f', {one.unit}' if one.unit else ''}", _value(one)) for one in passport.settings]
    parts = [
        _heading(tr("Passport of a fuel sensor"), 20),
        _table(head),
        _heading(tr("Settings")),
        _table(settings) if settings else f"<p>{escape(tr('This kind of sensor tells no settings.'))}</p>",
        _heading(tr("Measurement")),
        _table(_measured(passport)),
    ]
    if passport.table:
        rows = [(f"{raw:.12g}", f"{litres:.12g}") for raw, litres in passport.table]
        parts += [_heading(tr("Tank table: reading and litres")), _table(rows)]
    if passport.note:
        parts.append(f"<p>{escape(passport.note)}</p>")
    line = "_" * 28
    signed = escape(tr("Date and signature"))
    parts.append(f"<p style='margin-top:40px'>{line}<br/>{signed}</p>")
    return "<html><body style='font-family:Inter; font-size:10pt'>" + "".join(parts) + "</body></html>"


def _heading(text: str, points: int = 13) -> str:
    return f"<p style='font-size:{points}pt; font-weight:600; margin-top:14px; margin-bottom:6px'>{escape(text)}</p>"


def _measured(passport: Passport) -> list[tuple[str, str]]:
    level, counters = passport.level, passport.counters
    rows = []
    if level is not None and level.value is not None:
        rows.append((tr("Level"), f"{level.value:.12g} {level.unit}"))
        if level.raw is not None:
            rows.append((tr("Raw count"), f"{level.raw:.12g}"))
        if level.temperature_c is not None:
            rows.append((tr("Temperature"), f"{level.temperature_c:g} °C"))
    if counters.sent:
        share = f"{counters.good / counters.sent:.1%}"
        rows.append((tr("Answers"), tr("{share} of {sent} requests", share=share, sent=counters.sent)))
    return rows or [(tr("Level"), "–")]


def _table(rows: Sequence[tuple[str, str]]) -> str:
    cells = "".join(
        f"<tr><td width='38%' style='padding:3px 18px 3px 0; color:#475569'>{escape(name)}</td>"
        f"<td style='padding:3px 0'>{escape(value) or '–'}</td></tr>"
        for name, value in rows
    )
    return f"<table cellspacing='0' width='100%'>{cells}</table>"


def _value(one: SensorSetting) -> str:
    if one.value is None:
        return "–"
    return one.choices.get(one.value, str(one.value)) if isinstance(one.value, int) else str(one.value)
