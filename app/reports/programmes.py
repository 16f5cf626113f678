"""Which programmes are reported, in which rhythm, by whom: the operator's own assignment."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date
from typing import Any

from sqlalchemy import Connection, and_, func, insert, select, update

from app.fleet.text import storable
from app.reports.errors import ReportRefused, UnknownReport
from app.reports.figures import Limits
from app.reports.periods import MONTHS, MOST_DUE_DAYS
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.ids import new_id
from app.store.tables import FacilityRow, Integration, ProgramRow, ReportFacility, ReportProgramme
from app.store.upsert import insert_or

DEFAULT_DUE_DAYS = 5


@dataclass(frozen=True, slots=True)
class Programme:
    """One programme that is reported. ``id`` is "" for one that is not set up; days are ISO texts."""

    id: str
    integration_id: str
    program: str
    name: str
    is_on: bool = True
    rhythm: str = "bimonthly"
    first_month: int = 1
    due_days: int = DEFAULT_DUE_DAYS
    holidays: tuple[str, ...] = ()
    starts_on: str = ""
    tolerance_units: float = 0.0
    min_months: float = 2.0
    max_months: float = 4.0
    amc_months: int = 3
    expiry_days: int = 180
    reports_to: str = ""
    name_there: str = ""

    @property
    def limits(self) -> Limits:
        return Limits(self.tolerance_units, self.min_months, self.max_months, self.amc_months, self.expiry_days)

    @property
    def holiday_days(self) -> frozenset[date]:
        return frozenset(map(date.fromisoformat, self.holidays))

    def as_row(self) -> dict[str, Any]:
        return {**asdict(self), "holidays": list(self.holidays)}


_COLUMNS = tuple(field.name for field in fields(Programme))


@dataclass(frozen=True, slots=True)
class Expected:
    """A facility that can be asked to report; ``is_expected`` where it is, from ``since_on`` on."""

    facility: str
    code: str
    name: str
    zone: str
    is_expected: bool
    since_on: str = ""
    until_on: str | None = None


def list_programmes(connection: Connection, *, only_on: bool = False) -> list[Programme]:
    """Every programme that is set up, by name; those of removed integrations are left out."""
    table = ReportProgramme
    query = (
        select(*(getattr(table, name) for name in _COLUMNS))
        .join(Integration, and_(Integration.id == table.integration_id, Integration.removed_at.is_(None)))
        .order_by(table.name, table.id)
    )
    if only_on:
        query = query.where(table.is_on.is_(True))
    return [_programme(row) for row in connection.execute(query)]


def programme(connection: Connection, programme_id: str) -> Programme:
    """Raises UnknownReport."""
    table = ReportProgramme
    query = select(*(getattr(table, name) for name in _COLUMNS)).where(table.id == programme_id)
    row = connection.execute(query).one_or_none()
    if row is None:
        raise UnknownReport(f"There is no reporting programme {programme_id}. “reports list” shows what there is.")
    return _programme(row)


def suggest_programmes(connection: Connection, kinds: Sequence[str]) -> list[Programme]:
    """Programmes of the supply systems that nobody has set up yet, with the defaults of the reference.

    ``kinds`` are the catalogue's keys of supply systems. A system that tells of no programmes is reported as a whole.
    """
    rows = connection.execute(select(ReportProgramme.integration_id, ReportProgramme.program))
    known = {(row.integration_id, row.program) for row in rows}
    systems = select(Integration.id, Integration.name).where(
        Integration.type.in_(kinds), Integration.removed_at.is_(None)
    )
    found: list[Programme] = []
    for system in connection.execute(systems.order_by(Integration.key)).all():
        told = select(ProgramRow.peer_id, ProgramRow.name).where(
            ProgramRow.integration_id == system.id, ProgramRow.is_active.is_(True), ProgramRow.gone_at.is_(None)
        )
        named = [(row.peer_id, row.name or row.peer_id) for row in connection.execute(told.order_by(ProgramRow.name))]
        for program, name in named or [("", f"All items of {system.name}")]:
            if (system.id, program) not in known:
                found.append(Programme("", system.id, program, name, name_there=name if program else ""))
    return found


def save_programme(connection: Connection, wanted: Programme, *, who: str | None = None) -> str:
    """Write the settings of one programme; returns its id. Raises ReportRefused with the field."""
    wanted = _checked(connection, wanted)
    known = connection.execute(
        select(ReportProgramme.id).where(
            ReportProgramme.integration_id == wanted.integration_id, ReportProgramme.program == wanted.program
        )
    ).scalar_one_or_none()
    before = programme(connection, known) if known is not None else None
    wanted = replace(wanted, id=known or new_id())
    if before == wanted:
        return wanted.id
    version = raise_topic(connection, "reports")
    values = {**wanted.as_row(), "changed_version": version}
    if known is None:
        connection.execute(insert(ReportProgramme).values(values))
    else:
        connection.execute(update(ReportProgramme).where(ReportProgramme.id == known).values(values))
    record_act(
        connection,
        what="report_programme.change" if before else "report_programme.add",
        subject=wanted.name,
        before=before.as_row() if before else None,
        after=wanted.as_row(),
        who=who,
    )
    return wanted.id


def expected_facilities(connection: Connection, programme_id: str) -> list[Expected]:
    """Every facility of the programme's system, those that are expected to report first, then by name."""
    found = programme(connection, programme_id)
    table, mine = FacilityRow, ReportFacility
    query = (
        select(table.peer_id, table.code, table.name, table.zone, mine.since_on, mine.until_on)
        .outerjoin(mine, and_(mine.programme_id == programme_id, mine.facility == table.peer_id))
        .where(
            table.integration_id == found.integration_id,
            table.kind.in_(("store", "facility")),
            (table.gone_at.is_(None) & table.is_active.is_(True)) | mine.facility.is_not(None),
        )
        .order_by(mine.facility.is_(None), table.name, table.peer_id)
    )
    return [
        Expected(
            row.peer_id,
            row.code,
            row.name or row.peer_id,
            row.zone,
            row.since_on is not None and row.until_on is None,
            row.since_on or "",
            row.until_on,
        )
        for row in connection.execute(query)
    ]


def expect(
    connection: Connection, programme_id: str, facilities: Iterable[str], today: date, *, who: str | None = None
) -> tuple[int, int]:
    """Let exactly these facilities report from now on; returns how many came and how many went.

    One that is taken off keeps the reports of periods that ended before; it is not expected any more from today on.
    """
    wanted = set(facilities)
    found = programme(connection, programme_id)
    known = {one.facility: one for one in expected_facilities(connection, programme_id)}
    unknown = sorted(wanted - set(known))
    if unknown:
        raise ReportRefused(
            f"{found.name} has no facility {unknown[0]}. Choose among those that its system tells of.", "facilities"
        )
    came = [key for key in sorted(wanted) if not known[key].is_expected]
    went = [key for key, one in known.items() if one.is_expected and key not in wanted]
    if not came and not went:
        return 0, 0
    version = raise_topic(connection, "reports")
    for facility in came:
        statement = insert_or(connection, ReportFacility).values(
            programme_id=programme_id,
            facility=facility,
            since_on=found.starts_on,
            until_on=None,
            changed_version=version,
        )
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["programme_id", "facility"], set_={"until_on": None, "changed_version": version}
            )
        )
    if went:
        mine = (ReportFacility.programme_id == programme_id) & ReportFacility.facility.in_(went)
        connection.execute(
            update(ReportFacility).where(mine).values(until_on=today.isoformat(), changed_version=version)
        )
    record_act(
        connection,
        what="report_programme.expect",
        subject=found.name,
        after={"expected": [known[key].name for key in came], "not_expected": [known[key].name for key in went]},
        who=who,
    )
    return len(came), len(went)


def count_expected(connection: Connection) -> Mapping[str, int]:
    """How many facilities report for each programme now."""
    mine = ReportFacility
    count = func.count().label("facilities")
    query = select(mine.programme_id, count).where(mine.until_on.is_(None)).group_by(mine.programme_id)
    return {row.programme_id: row.facilities for row in connection.execute(query)}


def _programme(row: Any) -> Programme:
    return Programme(**{**row._mapping, "holidays": tuple(row.holidays or ())})


def _checked(connection: Connection, wanted: Programme) -> Programme:
    if wanted.rhythm not in MONTHS:
        raise ReportRefused(f"There is no rhythm “{wanted.rhythm}”. There are: {', '.join(MONTHS)}.", "rhythm")
    if not 1 <= wanted.first_month <= 12:
        raise ReportRefused("The month in which a period begins is a number from 1 to 12.", "first_month")
    if not 0 <= wanted.due_days <= MOST_DUE_DAYS:
        raise ReportRefused(f"A report is due 0 to {MOST_DUE_DAYS} working days after its period.", "due_days")
    for day in wanted.holidays:
        _day(day, "holidays")
    first = _day(wanted.starts_on, "starts_on")
    if not 2000 <= first.year <= 2099:
        raise ReportRefused("The first reported day must be between 2000 and 2099.", "starts_on")
    if not 0 <= wanted.tolerance_units <= 1e9:
        raise ReportRefused("The tolerance is a number of units, 0 or more.", "tolerance_units")
    if not 0 < wanted.min_months <= wanted.max_months <= 60:
        raise ReportRefused("Months of stock: the least must be above 0 and not above the most.", "min_months")
    if not 1 <= wanted.amc_months <= 24:
        raise ReportRefused("Consumption is averaged over 1 to 24 months.", "amc_months")
    if not 1 <= wanted.expiry_days <= 1_825:
        raise ReportRefused("The horizon of expiry is 1 to 1,825 days.", "expiry_days")
    if (
        wanted.reports_to
        and not connection.execute(
            select(Integration.id).where(Integration.id == wanted.reports_to, Integration.removed_at.is_(None))
        ).first()
    ):
        raise ReportRefused(
            "The integration that takes the reports does not exist any more. Choose another.", "reports_to"
        )
    name = storable(wanted.name.strip(), 300)
    if not name:
        raise ReportRefused("Give the programme a name.", "name")
    return replace(wanted, name=name, name_there=storable(wanted.name_there.strip(), 300))


def _day(text: str, field: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ReportRefused(f"“{text[:40]}” is no date. Write it as 2026-11-25.", field) from None
