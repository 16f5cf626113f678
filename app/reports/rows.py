"""The stock lines that are told to whoever takes reports: packs, codes, programme and donor, as they are now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, and_, select

from adapters.reporting import StockRow, json_text
from app.reports.codes import Codes, read_codes
from app.reports.periods import local_day
from app.reports.programmes import Programme, list_programmes
from app.store.tables import FacilityRow, ItemRow, ReportFacility, ReportRow, ReportRunRow, StockLineRow
from app.supply.ages import UNREAD, data_ages

DONOR = ("donor", "funder")


@dataclass(frozen=True, slots=True)
class TakenRow:
    """A stock line ready to be told. ``why_held`` says why it stays here, "" for nothing."""

    row: StockRow
    subject: str
    why_held: str = ""

    @property
    def hash(self) -> str:
        """Of what is told, without the moment of counting: the same hash, the same stock."""
        row = self.row
        parts = [
            row.store_code, row.item_code, row.packs, row.pack_size, row.batch, row.expires_on, row.program, row.funder,
            row.manufacturer, row.gtin,
        ]  # fmt: skip
        return sha256(json_text(parts).encode("utf-8", "replace")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All rows of one sending; ``unread`` are systems whose stock was never read."""

    rows: tuple[TakenRow, ...]
    unread: tuple[str, ...] = ()


def take_snapshot(connection: Connection, integration_id: str, report_id: str | None = None) -> Snapshot:
    """The stock of every facility that reports to this integration, or of one report's facility and programme."""
    wanted = [one for one in list_programmes(connection, only_on=True) if one.reports_to == integration_id]
    facility: str | None = None
    if report_id is not None:
        row = connection.execute(
            select(ReportRow.programme_id, ReportRow.facility).where(ReportRow.id == report_id)
        ).one_or_none()
        facility = row.facility if row is not None else ""
        wanted = [one for one in wanted if row is not None and one.id == row.programme_id]
    codes = read_codes(connection, integration_id)
    ages = data_ages(connection, "stock")
    found: dict[str, TakenRow] = {}
    unread: list[str] = []
    for one in wanted:
        read_ms = ages.get(one.integration_id, UNREAD).last_read_ms
        if read_ms is None:
            unread.append(one.name)
            continue
        for taken in _of_programme(connection, one, facility, codes, read_ms):
            found.setdefault(taken.row.key, taken)
    return Snapshot(tuple(found.values()), tuple(unread))


def accepted_today(connection: Connection, integration_id: str, now_ms: int) -> set[tuple[str, str]]:
    """(key, hash) of rows that were accepted since midnight: they need not be told again."""
    row = ReportRunRow
    today = local_day(now_ms).isoformat()
    query = select(row.row_key, row.row_hash, row.outcome, row.id).where(
        row.integration_id == integration_id, row.day == today, row.outcome.in_(("accepted", "refused", "unconfirmed"))
    )
    last: dict[str, tuple[str, str]] = {}
    for one in connection.execute(query.order_by(row.id)):
        last[one.row_key] = (one.row_hash, one.outcome)
    return {(key, row_hash) for key, (row_hash, outcome) in last.items() if outcome == "accepted"}


def _of_programme(
    connection: Connection, found: Programme, facility: str | None, codes: Codes, read_ms: int
) -> Iterable[TakenRow]:
    line, place, item, mine = StockLineRow, FacilityRow, ItemRow, ReportFacility
    today = local_day(read_ms)
    query = (
        select(
            line.id, line.units, line.available_units, line.pack_size, line.batch, line.expires_on, line.program,
            line.attributes, place.code.label("store_code"), place.name.label("store_name"),
            item.code.label("item_code"), item.name.label("item_name"), item.programs,
        )
        .join(mine, and_(mine.programme_id == found.id, mine.facility == line.facility, mine.until_on.is_(None)))
        .join(place, and_(place.integration_id == line.integration_id, place.peer_id == line.facility))
        .outerjoin(item, and_(item.integration_id == line.integration_id, item.peer_id == line.item))
        .where(line.integration_id == found.integration_id, line.gone_at.is_(None), line.units > 0)
        .order_by(place.code, item.code, line.key)
    )  # fmt: skip
    if facility is not None:
        query = query.where(line.facility == facility)
    for row in connection.execute(query):
        if _belongs(row, found):
            yield _taken(row, found, codes, read_ms, today)


def _belongs(row: Any, found: Programme) -> bool:
    """A line without a programme belongs to those that its item is in; it is listed there, and held back."""
    if not found.program:
        return True
    return row.program == found.program or (not row.program and found.program in (row.programs or ()))


def _taken(row: Any, found: Programme, codes: Codes, read_ms: int, today: date) -> TakenRow:
    attributes = row.attributes or {}
    size = row.pack_size if row.pack_size > 0 else 0.0
    available = row.units if row.available_units is None else row.available_units
    told = StockRow(
        key=row.id,
        store_code=row.store_code.strip(),
        item_code=(row.item_code or "").strip(),
        packs=round(available / size, 6) if size else 0.0,
        pack_size=size,
        counted_ms=read_ms,
        batch=row.batch,
        expires_on=row.expires_on,
        program=found.name_there if row.program or not found.program else "",
        funder=next((str(attributes[name]) for name in DONOR if attributes.get(name)), ""),
        manufacturer=str(attributes.get("manufacturer") or ""),
        gtin=str(attributes.get("barcode") or attributes.get("gtin") or ""),
    )
    batch = f", batch {row.batch}" if row.batch else ""
    subject = f"{row.item_name or row.item_code or 'An item'}{batch}, {row.store_name or row.store_code}"
    why = codes.trouble_of_facility(told.store_code) or codes.trouble_of_item(told.item_code)
    if not why and row.expires_on and row.expires_on < today.isoformat():
        why = f"It expired on {row.expires_on}. Take it out of the stock in the supply system."
    return TakenRow(told, subject[:400], why)
