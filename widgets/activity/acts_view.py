"""The record of what operators did: who, what, to what, and what it changed."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Text, cast, or_, select

from app.fleet.times import iso
from app.store.store import Store
from app.store.tables import Act
from resources.i18n import tr
from widgets.activity.view import Batch, Detail, View
from widgets.activity.wanted import Wanted
from widgets.activity.words import act_word, as_json, change_summary, changes_between, moment
from widgets.export import Cell, Sheet
from widgets.rows_model import Column
from widgets.theme import Level

PEOPLE_OF = 20_000
EXPORT_PAGE = 2_000
MOST_EXPORTED = 200_000
"""What a spreadsheet takes with ease; the command “export acts” has no end."""

_LOSING = ("remove", "block", "forget", "forget_silent", "disable", "release")


@dataclass(frozen=True, slots=True)
class ActRow:
    """One entry of the chain of acts."""

    id: int
    at: datetime
    who: str
    host: str
    what: str
    subject: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    hash: str


_COLUMNS = (Act.id, Act.at, Act.who, Act.host, Act.what, Act.subject, Act.before, Act.after, Act.hash)


class ActsView(View[ActRow]):
    key = "acts"
    title = tr("Acts")
    topics = frozenset({"acts"})
    kinds = (
        ("", tr("Every kind")),
        ("integration", tr("Integrations")),
        ("device", tr("Trackers")),
        ("vehicle", tr("Vehicles")),
        ("alarm alarm_rule fence", tr("Alarms and fences")),
        ("tank calibration sensor sensor_profile fuel_sensor fuel_event fuel_receipt fuel_parameters", tr("Fuel")),
        ("supply outbox conflict inbox stream", tr("Supply and sync")),
        ("report report_programme report_task", tr("Reports")),
        ("identity", tr("Identity")),
        ("operator retention backup audit problem", tr("The console itself")),
    )
    empty = (
        "clipboard-list",
        tr("No acts yet"),
        tr("Everything that operators change is recorded here, each entry linked to the one before."),
    )

    def columns(self) -> Sequence[Column[ActRow]]:
        formats = self.formats
        return (
            Column(
                "time",
                tr("Time"),
                lambda act: moment(formats, act.at),
                lambda act: act.id,
                tooltip=lambda act: formats.time(act.at),
                export=lambda act: formats.time(act.at),
                width=132,
                note=formats.zone_name,
            ),
            Column("who", tr("Who"), lambda act: act.who, tooltip=lambda act: act.who, width=176),
            Column("what", tr("What"), lambda act: act_word(act.what), badge=_badge, width=196),
            Column(
                "subject",
                tr("Subject"),
                lambda act: act.subject,
                tooltip=lambda act: act.subject,
                width=190,
            ),
            Column("host", tr("Computer"), lambda act: act.host, is_shown=False, width=130),
            Column("id", tr("Number"), lambda act: f"#{act.id}", align="right", is_shown=False, width=90),
            Column(
                "change",
                tr("Change"),
                lambda act: change_summary(act.before, act.after),
                tooltip=lambda act: change_summary(act.before, act.after),
                width=160,
            ),
        )

    def key_of(self, row: ActRow) -> int:
        return row.id

    def older_than(self, row: ActRow) -> int:
        return row.id

    def read(
        self, connection: Connection, wanted: Wanted, *, limit: int, older: Any = None, newest: ActRow | None = None
    ) -> Batch[ActRow]:
        return read_acts(connection, wanted, limit=limit, older=older, newest=newest)

    def people(self, connection: Connection) -> Sequence[str]:
        """Who is named in the newest :data:`PEOPLE_OF` acts, in order."""
        newest = select(Act.who).order_by(Act.id.desc()).limit(PEOPLE_OF).subquery()
        return sorted(connection.execute(select(newest.c.who).distinct()).scalars(), key=str.casefold)

    def detail(self, row: ActRow) -> Detail:
        level, word = _badge(row)
        both = ((tr("All of before"), row.before), (tr("All of after"), row.after))
        whole = [(name, as_json(value)) for name, value in both if value]
        return Detail(
            heading=row.subject,
            subtitle="",
            level=level,
            word=word,
            facts=(
                (tr("Time"), self.formats.time(row.at)),
                (tr("Who"), row.who),
                (tr("Computer"), row.host),
                (tr("Act"), row.what),
                (tr("Number"), f"#{row.id}"),
                (tr("Link"), f"{row.hash[:16]}…"),
            ),
            texts=whole,
            changes=changes_between(row.before, row.after),
            acts=(
                ("acts_on", tr("Acts on this"), "history"),
                ("acts_by", tr("Acts of this person"), "list"),
            ),
        )


def acts_sheet(store: Store, wanted: Wanted) -> tuple[Sheet, bool]:
    """Every act that is wanted, newest first, and whether older ones were left out. Blocks; raises StoreError."""
    rows: list[tuple[Cell, ...]] = []
    older: int | None = None
    is_more = True
    while is_more and len(rows) < MOST_EXPORTED:
        with store.read() as connection:
            batch = read_acts(connection, wanted, limit=EXPORT_PAGE, older=older)
        rows += [_sheet_row(act) for act in batch.rows]
        older, is_more = batch.older, batch.older is not None
    return Sheet(tr("Acts"), _HEADINGS, tuple(rows)), is_more


def _sheet_row(act: ActRow) -> tuple[Cell, ...]:
    sides = (json.dumps(side, ensure_ascii=False) if side is not None else None for side in (act.before, act.after))
    return act.id, iso(act.at), act.who, act.host, act.what, act.subject, *sides, act.hash


_HEADINGS = ("id", "at", "who", "host", "what", "subject", "before", "after", "hash")
"""As the command “export acts” names them."""


def read_acts(
    connection: Connection, wanted: Wanted, *, limit: int, older: int | None = None, newest: ActRow | None = None
) -> Batch[ActRow]:
    query = select(*_COLUMNS).order_by(Act.id.desc()).limit(limit)
    if older is not None:
        query = query.where(Act.id < older)
    if newest is not None:
        query = query.where(Act.id > newest.id)
    for condition in _conditions(wanted):
        query = query.where(condition)
    rows = [ActRow(*row) for row in connection.execute(query)]
    return Batch(rows, rows[-1].id if len(rows) == limit else None)


def _badge(act: ActRow) -> tuple[Level, str]:
    verb = act.what.rpartition(".")[2]
    return "warn" if verb in _LOSING else "info", act_word(act.what)


def _conditions(wanted: Wanted) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = [_holds(word) for word in wanted.words]
    if wanted.number is not None:
        conditions.append(Act.id == wanted.number)
    if wanted.integration_id is not None:
        # The subject of an act on an integration is its name and id; "" are acts on the console's own things.
        is_of = Act.what.startswith("integration.")
        mine = Act.subject.contains(wanted.integration_id, autoescape=True)
        conditions.append(mine if wanted.integration_id else ~is_of)
    if wanted.kind:
        conditions.append(or_(*(Act.what.startswith(f"{kind}.", autoescape=True) for kind in wanted.kind.split())))
    if wanted.who:
        conditions.append(Act.who == wanted.who)
    if wanted.since is not None:
        conditions.append(Act.at >= wanted.since)
    if wanted.until is not None:
        conditions.append(Act.at < wanted.until)
    return conditions


def _holds(word: str) -> ColumnElement[bool]:
    """The word stands in who, what, subject or in what changed. JSON is stored with letters beyond ASCII escaped."""
    escaped = json.dumps(word)[1:-1]
    plain = [column.icontains(word, autoescape=True) for column in (Act.who, Act.host, Act.what, Act.subject)]
    texts = [cast(column, Text).icontains(escaped, autoescape=True) for column in (Act.before, Act.after)]
    return or_(*plain, *texts)
