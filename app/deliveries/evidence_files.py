"""The files of proofs in an evidence pack: those that are kept here with their hashes, the others with the reason."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from app.deliveries.proof import UPLOADED, Photo
from app.deliveries.proofs import ProofListing
from app.fleet.times import iso_ms
from app.proof_files.folder import ProofFolder
from app.proof_files.formats import FORMAT_NAMES, SUFFIXES
from app.proof_files.listing import FileRow

MOST_BYTES = 200_000_000
"""Of all files of one pack: it is made in memory."""
NO_FOLDER = "The pack was made without the folder in which files of proofs are kept."
ON_PHONE = "The phone told of it, and its file was never uploaded."
NOT_SEEN = "It was told a moment ago and is not fetched yet."


@dataclass(slots=True)
class PackedFiles:
    """``contents`` by name in the pack; ``rows`` one for each file that was told of, packed or not."""

    folder: ProofFolder | None
    contents: dict[str, bytes] = field(default_factory=dict)
    size: int = 0

    def add(self, place: str, proofs: Sequence[ProofListing]) -> list[Mapping[str, Any]]:
        """The files of a batch's proofs, below ``place``; returns a row for each."""
        return [self._add(place, one, photo) for one in proofs for photo in one.proof.files]

    def _add(self, place: str, listing: ProofListing, photo: Photo) -> Mapping[str, Any]:
        file = listing.file_of(photo)
        content, why = self._content(photo, file)
        name = ""
        if content is not None and file is not None:
            name = f"{place}/files/{file.sha256}{SUFFIXES.get(file.format, '.bin')}"
            if name not in self.contents:
                self.contents[name] = content
                self.size += len(content)
        is_kept = file is not None and file.is_kept
        return {
            "facility": listing.proof.facility,
            "facility_name": listing.facility_name,
            "kind": photo.kind,
            "told_at": iso_ms(photo.captured_ms or None),
            "address": photo.url,
            "state": listing.file_word(photo),
            "fetched_at": iso_ms(file.since_ms) if file is not None and is_kept else None,
            "sha256": file.sha256 if file is not None and is_kept else "",
            "bytes": file.received if file is not None and is_kept else None,
            "format": FORMAT_NAMES.get(file.format, "no photo") if file is not None and is_kept else "",
            "file": name,
            "missing": why,
        }

    def _content(self, photo: Photo, file: FileRow | None) -> tuple[bytes | None, str]:
        """What is kept, or why it is not in the pack."""
        if photo.state != UPLOADED:
            return None, ON_PHONE
        if file is None:
            return None, NOT_SEEN
        if not file.is_kept:
            return None, f"It {file.word}. {file.reason}".strip()
        if self.folder is None:
            return None, NO_FOLDER
        if self.size + file.received > MOST_BYTES:
            return None, f"The pack holds {MOST_BYTES // 1_000_000} MB of files already. Copy it by itself."
        try:
            content = self.folder.path_of(file.sha256).read_bytes()
        except OSError as err:
            return None, f"Its file cannot be read here ({(err.strerror or 'error').lower()})."
        if hashlib.sha256(content).hexdigest() != file.sha256:
            return None, "Its file was changed here after it was fetched, so it is no evidence any more."
        return content, ""
