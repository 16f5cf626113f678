"""The papers of a batch as pages: the manifest, the route sheet, and a delivery note for each stop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape

from sqlalchemy import Connection

from app.deliveries.batch import BatchDetails, StopListing, batch_details
from app.deliveries.eta import batch_eta
from app.deliveries.goods import Parcel, parcels_of
from app.deliveries.proofs import ProofListing, proofs_of_batch
from resources.i18n import tr, trn
from widgets.deliveries.paper_pictures import pictures_row
from widgets.formats import Formats

MANIFEST, ROUTE_SHEET, NOTES = "manifest", "route-sheet", "delivery-notes"
TITLES = {MANIFEST: tr("Manifest"), ROUTE_SHEET: tr("Route sheet"), NOTES: tr("Delivery notes")}
_LINE = "_" * 30
_WHOLE = " style='white-space:nowrap'"
_SMALL = "font-size:8pt;color:#555555"


@dataclass(frozen=True, slots=True)
class Papers:
    """What the papers of one batch are made of; ``arrivals_ms`` are expected times by stop.

    ``pictures`` are those of :func:`widgets.deliveries.paper_pictures.small_pictures`.
    """

    details: BatchDetails
    parcels: Sequence[Parcel]
    proofs: Sequence[ProofListing]
    arrivals_ms: dict[str, int]
    made_ms: int
    pictures: Mapping[str, str] = field(default_factory=dict)

    def foot(self, kind: str) -> str:
        """What stands at the foot of every page."""
        return " · ".join((TITLES[kind], self.details.batch.name))

    def file_name(self, kind: str) -> str:
        name = "".join(char if char.isascii() and char.isalnum() else "-" for char in self.details.batch.name)
        return f"{kind}-{name.strip('-')[:60] or 'batch'}.pdf"


def read_papers(connection: Connection, batch_id: str, now_ms: int) -> Papers:
    """Raises NotFound."""
    details = batch_details(connection, batch_id)
    eta = batch_eta(connection, details.batch, now_ms)
    return Papers(
        details,
        parcels_of(connection, details),
        proofs_of_batch(connection, batch_id, now_ms),
        {one.stop.id: one.eta_ms for one in eta.stops if one.eta_ms is not None},
        now_ms,
    )


def page_of(papers: Papers, kind: str, formats: Formats) -> str:
    """HTML of one paper; everything from outside is escaped, it is text and never markup."""
    body = {MANIFEST: _manifest, ROUTE_SHEET: _route_sheet, NOTES: _notes}[kind](papers, formats)
    return (
        f"<html><body style='font-family:Inter,sans-serif;font-size:9.5pt;color:#111111'>{''.join(body)}</body></html>"
    )


def _head(papers: Papers, title: str, formats: Formats) -> list[str]:
    batch = papers.details.batch
    day = " ".join(part for part in (batch.scheduled_on or "", batch.scheduled_at) if part)
    facts = (
        (tr("Batch"), batch.name), (tr("Day"), day or "–"), (tr("From"), batch.warehouse_name or "–"),
        (tr("Driver"), batch.driver_name or "–"), (tr("Vehicle"), batch.plate or "–"),
        (tr("Stops"), str(len(papers.details.stops))),
    )  # fmt: skip
    cells = "".join(
        f"<td width='16%'{kept}><span style='{_SMALL}'>{escape(word)}</span><br/><b>{escape(value)}</b></td>"
        for word, value, kept in ((*fact, _WHOLE if fact[0] == tr("Day") else "") for fact in facts)
    )
    made = tr("Made {time}", time=formats.time(papers.made_ms))
    return [
        _heading(title, 17),
        f"<p style='{_SMALL};margin-top:0'>{escape(made)}</p>",
        f"<table width='100%' cellspacing='0' cellpadding='4' style='margin-bottom:10px'><tr>{cells}</tr></table>",
    ]


def _manifest(papers: Papers, formats: Formats) -> Iterable[str]:
    yield from _head(papers, TITLES[MANIFEST], formats)
    names = {stop.facility: f"{stop.sequence}. {stop.label}" for stop in papers.details.stops}
    rows = [
        (_where(names, parcel), parcel.shipment.number, line.item_name, line.item_code, line.batch,
         line.expires_on or "", _units(line.units), line.unit)
        for parcel in papers.parcels
        for line in parcel.shipment.lines
    ]  # fmt: skip
    heads = (tr("Stop"), tr("Shipment"), tr("Item"), tr("Code"), tr("Lot"), tr("Expires"), tr("Units"), "")
    if rows:
        yield _table(heads, rows, right=(6,), whole=(5, 6))
        total = ", ".join(
            (
                trn("{count} shipment", "{count} shipments", len(papers.parcels)),
                trn("{count} line", "{count} lines", len(rows)),
            )
        )
        yield f"<p><b>{escape(total)}</b></p>"
    else:
        yield f"<p>{escape(tr('No shipment is known to travel in this batch, so no items can be listed.'))}</p>"
    others = _papers_without_lines(papers)
    if others:
        yield _heading(tr("Papers whose lines are not known here"))
        yield _table((tr("Kind"), tr("Number"), tr("For"), tr("State")), others)
    yield _signatures(tr("Handed over by"), tr("Taken over by the driver"))


def _where(names: Mapping[str, str], parcel: Parcel) -> str:
    stops = ", ".join(names[one] for one in sorted(parcel.facilities) if one in names)
    return stops or parcel.shipment.receiver or "–"


def _papers_without_lines(papers: Papers) -> list[tuple[str, ...]]:
    known = {number for parcel in papers.parcels for number in parcel.shipment.numbers}
    return [
        (paper.kind, paper.number, paper.facility_name or paper.facility, paper.status)
        for paper in papers.details.papers
        if paper.number not in known
    ]


def _route_sheet(papers: Papers, formats: Formats) -> Iterable[str]:
    yield from _head(papers, TITLES[ROUTE_SHEET], formats)
    rows = []
    for stop in papers.details.stops:
        numbers = ", ".join(one.shipment.number for one in papers.parcels if stop.facility in one.facilities)
        place = "" if stop.lat is None or stop.lon is None else f"{stop.lat:.5f}, {stop.lon:.5f}"
        rows.append((
            str(stop.sequence), stop.label, place, _arrival(papers, stop, formats), numbers, stop.notes, " ", " ",
        ))  # fmt: skip
    heads = (
        "", tr("Place"), tr("Coordinates"), tr("Expected"), tr("Shipments"), tr("Notes"), tr("Arrived"),
        tr("Signature"),
    )  # fmt: skip
    yield _table(heads, rows, tall=True, widths=(4, 16, 15, 20, 14, 8, 9, 14), whole=(3,))
    yield _signatures(tr("Dispatcher"), tr("Driver"))


def _arrival(papers: Papers, stop: StopListing, formats: Formats) -> str:
    if stop.arrived_ms is not None:
        return tr("was there {time}", time=formats.clock(stop.arrived_ms))
    expected = papers.arrivals_ms.get(stop.id)
    if expected is not None:
        return formats.clock(expected)
    return "" if stop.planned_arrival_ms is None else tr("plan {time}", time=formats.clock(stop.planned_arrival_ms))


def _notes(papers: Papers, formats: Formats) -> Iterable[str]:
    proofs = {one.proof.facility: one for one in papers.proofs}
    for number, stop in enumerate(papers.details.stops):
        if number:
            yield "<p style='page-break-before:always'></p>"
        yield from _head(papers, tr("Delivery note: {place}", place=stop.label), formats)
        rows = [
            (parcel.shipment.number, line.item_name, line.batch, line.expires_on or "", _units(line.units), line.unit,
             "", "")
            for parcel in papers.parcels
            if stop.facility in parcel.facilities
            for line in parcel.shipment.lines
        ]  # fmt: skip
        heads = (
            tr("Shipment"), tr("Item"), tr("Lot"), tr("Expires"), tr("Units"), "", tr("Received"), tr("Rejected, why"),
        )  # fmt: skip
        if rows:
            yield _table(heads, rows, right=(4,), whole=(3, 4))
        else:
            yield f"<p>{escape(tr('No shipment is known to be for this stop.'))}</p>"
        yield from _proof(proofs.get(stop.facility), papers, formats)
        yield _signatures(tr("Received by (name, date, signature)"), tr("Driver"))


def _proof(listing: ProofListing | None, papers: Papers, formats: Formats) -> Iterable[str]:
    """What was told of the delivery, where it has happened."""
    if listing is None or not listing.proof.is_proof:
        return
    proof = listing.proof
    facts = [
        (tr("Told"), proof.outcome), (tr("When"), formats.time(proof.at_ms)), (tr("Recipient"), proof.recipient or "–"),
        (tr("Photo"), listing.files_word(proof.photos, proof.photo)),
        (tr("Signature"), listing.files_word(proof.signatures, proof.signature)),
    ]  # fmt: skip
    if proof.discrepancy_reason:
        facts.append((tr("Reason of the difference"), proof.discrepancy_reason))
    yield _heading(tr("Proof of delivery"))
    yield _table((), facts)
    yield pictures_row(listing, papers.pictures)
    if proof.items:
        rows = [(item.item, _units(item.expected), _units(item.delivered)) for item in proof.items]
        yield _table((tr("Item"), tr("Expected"), tr("Delivered")), rows, right=(1, 2))


def _heading(text: str, size_pt: int = 11) -> str:
    return f"<p style='font-size:{size_pt}pt;font-weight:600;margin-bottom:4px'>{escape(text)}</p>"


def _table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    right: Sequence[int] = (),
    tall: bool = False,
    widths: Sequence[int] = (),
    whole: Sequence[int] = (),
) -> str:
    """The headings are repeated on every page that it reaches; ``widths`` are shares of the page, in per cent.

    ``whole`` are the columns that never wrap: a date in two lines is read wrongly.
    """

    def cell(text: str, at: int, tag: str) -> str:
        width = f" width='{widths[at]}%'" if widths else ""
        room = "<br/>&nbsp;" if tall and tag == "td" else ""
        kept = _WHOLE if at in whole and tag == "td" else ""
        return f"<{tag}{width}{kept} align='{'right' if at in right else 'left'}'>{escape(text)}{room}</{tag}>"

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(cell(text, at, tag) for at, text in enumerate(row))

    head = f"<thead><tr style='background-color:#eeeeee'>{cells(heads, 'th')}</tr></thead>" if heads else ""
    body = "".join(f"<tr>{cells(row, 'td')}</tr>" for row in rows)
    return (
        "<table width='100%' border='1' cellspacing='0' cellpadding='4' style='border-collapse:collapse;"
        f"border-color:#bbbbbb;margin-bottom:8px'>{head}{body}</table>"
    )


def _signatures(*whose: str) -> str:
    cells = "".join(f"<td><br/><br/>{_LINE}<br/><span style='{_SMALL}'>{escape(who)}</span></td>" for who in whose)
    return f"<table width='100%' cellspacing='0' cellpadding='4' style='margin-top:24px'><tr>{cells}</tr></table>"


def _units(value: float | None) -> str:
    return "–" if value is None else f"{value:,.0f}" if value == round(value) else f"{value:,.2f}"
