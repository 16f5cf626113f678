"""Judging what is kept of the seal: the file of checkpoints, the newest one in the vault, the key, a copy."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from app.security.checkpoints import FIRST, Checkpoint, Lines, active, parse
from app.security.findings import Finding, Kind

ACCEPT = "If you know why, say so with “audit accept”."


@dataclass(frozen=True, slots=True)
class Look:
    """``good`` are the file's lines as far as they hold, ``anchor`` is the newest one in the vault, where it holds.

    ``copied`` are those of a copy that was kept elsewhere.
    """

    good: tuple[Checkpoint, ...] = ()
    anchor: Checkpoint | None = None
    findings: tuple[Finding, ...] = ()
    copied: tuple[Checkpoint, ...] = ()

    @property
    def newest(self) -> Checkpoint | None:
        """The newest good checkpoint, of the file or of the vault."""
        of_file = self.good[-1] if self.good else None
        if of_file is None or (self.anchor is not None and self.anchor.number > of_file.number):
            return self.anchor
        return of_file

    @property
    def version(self) -> int | None:
        """How often acts had been written to the store when the newest was made; None where that is not known."""
        return None if self.newest is None or not self.newest.version else self.newest.version

    def marks(self) -> dict[int, str]:
        """The hashes that entries must have."""
        newest = self.newest
        known = [*(one for one in self.copied if one not in self.good), *self.good]
        if newest is not None and newest not in self.good:
            known.append(newest)
        return {one.entries: one.hash for one in active(known) if one.entries}


def examine(owner: str, lines: Lines, seal: str | None, key: str | None, *, has_file: bool) -> Look:
    """What holds of a file, the seal of the vault and its key, and what is wrong, each as a finding."""
    if key is None or not _is_key(key):
        return Look(findings=_without_key(lines, seal))
    anchor = None if seal is None else _anchor(seal, owner, key)
    good = _good(lines, owner, key)
    findings = [*_of_seal(seal, anchor, good, lines), *_of_lines(lines, good, anchor, owner, has_file=has_file)]
    if not good and anchor is None and any(lines.lines) and not _of_other_store(lines, owner):
        findings = [_key_changed()]
    return Look(good, anchor, tuple(findings))


def examine_copy(found: Look, copy: Lines, key: str | None, owner: str) -> Look:
    """``found``, and what a copy of the file that was kept elsewhere says besides.

    The copy is believed to be the operator's own: the chain is compared with it also where the key is another now.
    """
    good, findings = _good(copy, owner, None), list(found.findings)
    if len(good) < len(copy.lines) or copy.is_torn or not good:
        text = f"The copy holds no true checkpoint in line {len(good) + 1}: take another copy."
        findings.append(Finding(Kind.CHECKPOINT_CHANGED, text))
    missing = next((one for one in good if one not in found.good), None)
    if missing is None or found.findings:
        return replace(found, findings=tuple(findings), copied=good)
    fits = key is not None and missing.is_signed_by(key)
    why = "an older or another file took its place" if fits else "the key and the file were made anew since, or changed"
    text = f"Checkpoint {missing.number} of the copy ({missing.at}) is not in the file here: {why}."
    return replace(found, findings=(*findings, Finding(Kind.CHECKPOINTS_SWAPPED, text)), copied=good)


def _without_key(lines: Lines, seal: str | None) -> tuple[Finding, ...]:
    if not lines.exists and seal is None:
        return ()
    text = (
        "The key of the checkpoints is not in the vault: it was removed, or another vault is open. Nothing can be "
        f"compared with them. Open the vault with which the engine runs. {ACCEPT}"
    )
    return (Finding(Kind.KEY_MISSING, text),)


def nothing_left(since: str) -> Finding:
    """The store knows that it was sealed, and neither vault nor file do."""
    text = (
        f"This store has been sealed since {since}, and neither key nor checkpoint is left. They were removed, or "
        f"another vault is open. Compare with a copy that was kept elsewhere. {ACCEPT}"
    )
    return Finding(Kind.KEY_MISSING, text)


def _key_changed() -> Finding:
    text = (
        "The key in the vault is not the one of the checkpoints: the vault was changed or replaced, or the file of "
        f"checkpoints was forged. Open the vault with which the engine runs. {ACCEPT}"
    )
    return Finding(Kind.KEY_CHANGED, text)


def _of_seal(seal: str | None, anchor: Checkpoint | None, good: Sequence[Checkpoint], lines: Lines) -> list[Finding]:
    """What is wrong with the checkpoint in the vault."""
    if seal is not None and anchor is None:
        return [
            Finding(
                Kind.CHECKPOINT_CHANGED, f"The checkpoint in the vault does not fit its key: it was changed. {ACCEPT}"
            )
        ]
    if seal is None and lines.exists and good:
        return [Finding(Kind.CHECKPOINTS_MISSING, f"The newest checkpoint is gone from the vault. {ACCEPT}")]
    return []


def _of_lines(
    lines: Lines, good: Sequence[Checkpoint], anchor: Checkpoint | None, owner: str, *, has_file: bool
) -> list[Finding]:
    """What is wrong with the file, beside the checkpoint in the vault."""
    wanted = anchor.number if anchor is not None and has_file else 0
    if not lines.exists:
        if not wanted:
            return []
        text = f"The file of checkpoints is gone; the vault knows of {wanted}. {ACCEPT}"
        return [Finding(Kind.CHECKPOINTS_MISSING, text)]
    if _of_other_store(lines, owner):
        return [Finding(Kind.CHECKPOINTS_SWAPPED, f"The file of checkpoints is that of another store. {ACCEPT}")]
    if len(good) < len(lines.lines):
        text = f"Checkpoint {len(good) + 1} was changed, removed or made by somebody without the key. {ACCEPT}"
        return [Finding(Kind.CHECKPOINT_CHANGED, text)]
    if len(good) < wanted:
        text = (
            f"The file of checkpoints is an older one, or was cut: it holds {len(good)}, the vault knows of {wanted}."
        )
        return [Finding(Kind.CHECKPOINTS_SWAPPED, f"{text} {ACCEPT}")]
    if anchor is not None and wanted and good[wanted - 1] != anchor:
        text = f"Checkpoint {wanted} of the file is not the one in the vault: another file took its place. {ACCEPT}"
        return [Finding(Kind.CHECKPOINTS_SWAPPED, text)]
    return []


def _good(lines: Lines, owner: str, key: str | None) -> tuple[Checkpoint, ...]:
    """The lines from the first on that belong to each other, to the store and, where there is one, to the key."""
    good: list[Checkpoint] = []
    for one in takewhile(lambda line: line is not None, lines.lines):
        assert one is not None  # noqa: S101 - takewhile
        previous = good[-1].keyed if good else FIRST
        fits = one.number == len(good) + 1 and one.previous == previous and one.store == owner
        if not fits or (key is not None and not one.is_signed_by(key)):
            break
        good.append(one)
    return tuple(good)


def _of_other_store(lines: Lines, owner: str) -> bool:
    first = next(iter(lines.lines), None)
    return first is not None and first.store != owner


def _anchor(seal: str, owner: str, key: str) -> Checkpoint | None:
    """The checkpoint in the vault; also as an earlier release wrote it. None where it does not fit."""
    found = parse(seal)
    if found is not None:
        return found if found.store == owner and found.is_signed_by(key) else None
    try:
        facts = json.loads(seal)
        entries, last, keyed = int(facts["entries"]), str(facts["hash"]), str(facts["keyed"])
    except (ValueError, KeyError, TypeError):
        return None
    right = hmac.new(bytes.fromhex(key), f"{entries}:{last}".encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(keyed.encode(), right.encode()):
        return None
    return Checkpoint(0, owner, entries, last, 0, "", FIRST)


def _is_key(key: str) -> bool:
    try:
        return len(bytes.fromhex(key)) >= 32
    except ValueError:
        return False
