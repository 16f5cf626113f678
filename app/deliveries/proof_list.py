"""The list of proofs: narrowed by verdict and by what stands out, read on batch after batch."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import Connection

from app.deliveries.batches import BatchFilter
from app.deliveries.proof import REPORTED, UPLOADED
from app.deliveries.proofs import ProofListing, page_of_proofs
from app.supply.paging import After

NOT_JUDGED = "not_judged"
MOST_PAGES = 10
EVERY_BATCH = BatchFilter()
BATCHES_PER_PAGE = 100


def _lacks_file(one: ProofListing) -> bool:
    return REPORTED in (one.proof.photo, one.proof.signature)


def _lacks_copy(one: ProofListing) -> bool:
    """Whether something is uploaded whose file is not here, or is no picture."""
    files = [one.file_of(photo) for photo in one.proof.files if photo.state == UPLOADED]
    return any(file is None or not file.is_picture for file in files)


STANDS_OUT: Mapping[str, Callable[[ProofListing], bool]] = {
    "not_uploaded": _lacks_file,
    "not_kept": _lacks_copy,
    "discrepancy": lambda one: one.proof.has_discrepancy,
    "proxy": lambda one: one.proof.is_proxy,
    "missing": lambda one: bool(one.proof.missing),
    "marked": lambda one: bool(one.proof.marks),
    "not_delivered": lambda one: one.proof.outcome != "delivered",
}
"""What a proof may be picked out for."""


@dataclass(frozen=True, slots=True)
class ProofFilter:
    """``verdict``: confirmed, doubtful, no_evidence, :data:`NOT_JUDGED`, "" for any; ``state`` of STANDS_OUT or ""."""

    batches: BatchFilter = EVERY_BATCH
    verdict: str = ""
    state: str = ""

    @property
    def is_everything(self) -> bool:
        return self == ProofFilter()

    def holds(self, one: ProofListing) -> bool:
        word = NOT_JUDGED if one.verdict is None else one.verdict.verdict
        return (not self.verdict or word == self.verdict) and (not self.state or STANDS_OUT[self.state](one))


def page_of_proof_list(
    connection: Connection,
    wanted: ProofFilter,
    now_ms: int,
    *,
    descending: bool = True,
    after: After | None = None,
    limit: int = 100,
) -> tuple[list[ProofListing], After | None]:
    """At least ``limit`` proofs where a thousand batches hold as many, by the batches' days, and where to read on."""
    found: list[ProofListing] = []
    further = after
    for _page in range(MOST_PAGES):
        page, further = page_of_proofs(
            connection, wanted.batches, now_ms, descending=descending, after=further, limit=BATCHES_PER_PAGE
        )
        found += [one for one in page if wanted.holds(one)]
        if further is None or len(found) >= limit:
            break
    return found, further
