"""The two lists of the page: batches on the board, and proofs. Their columns, and how the store is asked for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection

from app.deliveries.batches import count_batches
from app.deliveries.board import BoardRow, page_of_board
from app.deliveries.proof import Photo
from app.deliveries.proof_list import page_of_proof_list
from app.deliveries.proofs import ProofListing
from app.supply.paging import After
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.deliveries import words
from widgets.formats import NOTHING
from widgets.rows_model import Column
from widgets.supply.store_list import ListKind, Question

BOARD, PROOFS = "board", "proofs"
_HOW = tr("Add the driver platform on the integrations page: its batches appear here when they are first read.")
ROWS = 150
"""Proofs that are read at a time."""


@dataclass
class Reader:
    """What lists read with. ``gaps`` is found now and then, by batch."""

    context: ConsoleContext
    now_ms: Callable[[], int]
    gaps: Mapping[str, int] = field(default_factory=dict)


def board_kind(reader: Reader) -> ListKind[BoardRow]:
    def read(connection: Connection, asked: Question) -> tuple[Sequence[BoardRow], After | None]:
        return page_of_board(
            connection,
            asked.wanted,
            reader.now_ms(),
            sort=asked.sort,
            descending=asked.descending,
            after=asked.after,
            limit=asked.limit,
            gaps=reader.gaps,
        )

    return ListKind(
        BOARD,
        tr("Batches"),
        "{count} batch",
        "{count} batches",
        _board_columns(reader),
        {"name": "name", "state": "board", "day": "scheduled_on", "started": "started_ms", "ended": "ended_ms"},
        ("state", True),
        read,
        count_batches,
        ("truck", tr("No batches yet"), _HOW),
        page="deliveries",
    )


def _board_columns(reader: Reader) -> list[Column[BoardRow]]:
    formats = reader.context.formats
    return [
        Column("name", tr("Batch"), lambda row: row.batch.name, tooltip=_batch_tip, width=120),
        Column(
            "state",
            tr("State"),
            lambda row: words.stage_pill(row.batch)[1],
            badge=lambda row: words.stage_pill(row.batch),
            tooltip=lambda row: words.stage_tip(row.batch),
            width=108,
            help=tr("Sorted by it, what is on the road stands on top."),
        ),
        Column("driver", tr("Driver"), lambda row: row.batch.driver_name or NOTHING, width=122),
        Column("vehicle", tr("Vehicle"), lambda row: row.batch.plate or NOTHING, width=110),
        Column(
            "stops",
            tr("Stops"),
            lambda row: words.stops_word(row.batch),
            align="right",
            width=56,
            help=tr("Stops that are done, of all."),
        ),
        Column(
            "next",
            tr("Next stop"),
            lambda row: "" if row.next_stop is None else row.next_stop.stop.label,
            tooltip=lambda row: words.eta_tip(row.eta, formats),
            width=110,
        ),
        Column(
            "eta",
            tr("Arrival"),
            lambda row: words.eta_words(row.next_stop, formats),
            tooltip=lambda row: words.eta_tip(row.eta, formats),
            width=94,
            note=formats.zone_name,
            help=tr("An estimate from the newest position, along the stops in their order."),
            export=lambda row: "" if row.next_stop is None else formats.time(row.next_stop.eta_ms),
        ),
        Column(
            "late",
            tr("Against plan"),
            lambda row: (words.late_pill(row) or ("neutral", ""))[1],
            badge=words.late_pill,
            width=102,
        ),
        Column(
            "marks",
            tr("To look at"),
            lambda row: ", ".join(words.marks(row)),
            badge=words.marks_pill,
            tooltip=lambda row: "\n".join(words.marks(row)),
            width=140,
        ),
        Column(
            "outbox",
            tr("Outbox"),
            lambda row: (words.waiting_pill(row.waiting) or ("neutral", ""))[1],
            badge=lambda row: words.waiting_pill(row.waiting),
            tooltip=lambda row: words.waiting_tip(row.waiting),
            width=100,
        ),
        Column("day", tr("Day"), lambda row: row.batch.scheduled_on or NOTHING, width=96),
        Column("warehouse", tr("From"), lambda row: row.batch.warehouse_name or NOTHING, width=140, is_shown=False),
        Column("priority", tr("Priority"), lambda row: row.batch.priority or NOTHING, width=84, is_shown=False),
        Column(
            "started",
            tr("Started"),
            lambda row: formats.clock(row.batch.started_ms),
            width=110,
            is_shown=False,
            note=formats.zone_name,
            export=lambda row: formats.time(row.batch.started_ms),
        ),
        Column(
            "ended",
            tr("Ended"),
            lambda row: formats.clock(row.batch.ended_ms),
            width=110,
            is_shown=False,
            note=formats.zone_name,
            export=lambda row: formats.time(row.batch.ended_ms),
        ),
        Column("platform", tr("Platform"), lambda row: row.batch.source, width=130, is_shown=False),
    ]


def _batch_tip(row: BoardRow) -> str:
    batch = row.batch
    parts = [batch.name, batch.warehouse_name, batch.medication, batch.notes]
    return "\n".join(part for part in parts if part)


def proof_kind(reader: Reader) -> ListKind[ProofListing]:
    def read(connection: Connection, asked: Question) -> tuple[Sequence[ProofListing], After | None]:
        return page_of_proof_list(
            connection,
            asked.wanted,
            reader.now_ms(),
            descending=asked.descending,
            after=asked.after,
            limit=min(asked.limit, ROWS),
        )

    def count(_connection: Connection, _wanted: object) -> int:
        return 0  # a proof is a reading of events: only what was read is known

    return ListKind(
        PROOFS,
        tr("Proofs of delivery"),
        "{count} proof",
        "{count} proofs",
        _proof_columns(reader),
        {"day": "scheduled_on"},
        ("day", True),
        read,
        count,
        ("clipboard-list", tr("No proofs yet"), tr("What drivers tell of their stops appears here once it is read.")),
        page="deliveries",
    )


def _proof_columns(reader: Reader) -> list[Column[ProofListing]]:
    formats = reader.context.formats
    return [
        Column("day", tr("Day"), lambda row: row.batch_day or NOTHING, width=96, help=tr("The batch's day.")),
        Column("place", tr("Place"), lambda row: row.label, tooltip=lambda row: row.label, width=210),
        Column(
            "verdict",
            tr("Verdict"),
            lambda row: words.verdict_pill(row.verdict)[1],
            badge=lambda row: words.verdict_pill(row.verdict),
            tooltip=lambda row: "" if row.verdict is None else "\n".join(row.verdict.reasons),
            width=118,
        ),
        Column(
            "outcome",
            tr("Outcome"),
            lambda row: words.outcome_pill(row)[1],
            badge=words.outcome_pill,
            width=106,
        ),
        Column(
            "told",
            tr("Told at"),
            lambda row: formats.clock(row.proof.told_ms),
            tooltip=lambda row: formats.time(row.proof.told_ms),
            width=112,
            note=formats.zone_name,
            help=tr("By the phone's clock."),
            export=lambda row: formats.time(row.proof.told_ms),
        ),
        Column("recipient", tr("Recipient"), lambda row: row.proof.recipient or NOTHING, width=126),
        _file_column("photo", tr("Photo"), lambda row: (row.proof.photos, row.proof.photo)),
        _file_column("signature", tr("Signature"), lambda row: (row.proof.signatures, row.proof.signature)),
        Column(
            "remarks",
            tr("Stands out"),
            lambda row: " ".join(_stands_out(row)),
            tooltip=lambda row: "\n".join(_stands_out(row)),
            width=200,
        ),
        Column("batch", tr("Batch"), lambda row: row.batch_name, width=150),
        Column("driver", tr("Driver"), lambda row: row.driver_name or NOTHING, width=126),
        Column("plate", tr("Vehicle"), lambda row: row.plate or NOTHING, width=104, is_shown=False),
    ]


def _stands_out(row: ProofListing) -> list[str]:
    """Sentences, the weightiest first."""
    proof = row.proof
    found = []
    if proof.has_discrepancy:
        reason = proof.discrepancy_reason.replace("_", " ")
        found.append(tr("Quantities differ: {reason}.", reason=reason) if reason else tr("Quantities differ."))
    if proof.is_proxy:
        found.append(tr("It was delivered elsewhere."))
    found += proof.remarks
    if proof.missing:
        found.append(tr("Missing: {what}.", what=", ".join(proof.missing)))
    return found


def _file_column(
    key: str, title: str, of: Callable[[ProofListing], tuple[Sequence[Photo], str]]
) -> Column[ProofListing]:
    """What became of files that the phone told of: a short word, the whole one in its tip and in exports."""
    return Column(
        key,
        title,
        lambda row: words.told_pill(row, *of(row))[1],
        badge=lambda row: words.told_pill(row, *of(row), words.FILES_SHORT),
        tooltip=lambda row: words.files_tip(row, *of(row)),
        width=124,
    )
