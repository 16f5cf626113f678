"""What verifying the record of acts can find, each kind with a name for programs and a sentence for people."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from app.security.checkpoints import Checkpoint


class Kind(StrEnum):
    """The name of what was found, in JSON."""

    EDIT = "edit"
    GAP = "gap"
    INSERTION = "insertion"
    REORDER = "reorder"
    CUT_TAIL = "cut_tail"
    REWRITE = "rewrite"
    OLDER_STORE = "older_store"
    CHECKPOINT_CHANGED = "checkpoint_changed"
    CHECKPOINTS_SWAPPED = "checkpoints_swapped"
    CHECKPOINTS_MISSING = "checkpoints_missing"
    KEY_MISSING = "key_missing"
    KEY_CHANGED = "key_changed"


IN_THE_CHAIN = frozenset(
    {Kind.EDIT, Kind.GAP, Kind.INSERTION, Kind.REORDER, Kind.CUT_TAIL, Kind.REWRITE, Kind.OLDER_STORE}
)
"""Kinds that are about entries; the others are about the checkpoints and their key."""


@dataclass(frozen=True, slots=True)
class Finding:
    """``sentence`` says what is wrong; ``entry`` is the first entry that it touches, None where it touches none."""

    kind: Kind
    sentence: str
    entry: int | None = None


@dataclass(frozen=True, slots=True)
class Head:
    """The end of the chain: how many entries, and the hash of the last."""

    entries: int
    hash: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """What verifying found, of the chain first; no finding means that everything holds.

    ``entries`` is how many the store has. ``agreed`` is the last entry that a checkpoint confirms. ``newest`` is the
    newest good checkpoint, None where there is none, and ``checkpoints`` how many good ones there are. ``restarts``
    are the good ones with which an operator let another chain hold, after a restore.
    """

    entries: int
    head: Head
    findings: tuple[Finding, ...] = ()
    agreed: int = 0
    newest: Checkpoint | None = None
    checkpoints: int = 0
    restarts: tuple[Checkpoint, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.findings

    @property
    def first_fault(self) -> str | None:
        """The first finding's sentence, None when everything holds."""
        return self.findings[0].sentence if self.findings else None

    @property
    def first_entry(self) -> int | None:
        """The first entry that a finding touches."""
        return next((found.entry for found in self.findings if found.entry is not None), None)
