"""The folder beside the store in which files of proofs lie: whole ones by their SHA-256, parts by their row.

A file gets its name only when all its bytes are on the disk. Everything blocks and raises OSError where the disk fails.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from app import platform
from app.proof_files.formats import HEAD_BYTES, format_of

_BLOCK = 1_048_576


@dataclass(frozen=True, slots=True)
class Kept:
    """A whole file: ``size`` in bytes, ``format`` as :func:`app.proof_files.formats.format_of` tells it."""

    sha256: str
    size: int
    format: str


class ProofFolder:
    """Nothing is made until something is to be written."""

    def __init__(self, root: Path) -> None:
        self._kept, self._parts = root / "kept", root / "parts"
        self._root = root

    def path_of(self, sha256: str) -> Path:
        return self._kept / sha256[:2] / sha256

    def part_of(self, file_id: str) -> Path:
        return self._parts / f"{file_id}.part"

    def has(self, sha256: str) -> bool:
        return bool(sha256) and self.path_of(sha256).is_file()

    def free_bytes(self) -> int:
        """What the disk has left, for the folder itself or whatever of its way there is already."""
        folder = self._root
        while not folder.exists() and folder != folder.parent:
            folder = folder.parent
        return shutil.disk_usage(folder).free

    def open_part(self, file_id: str, safe: int) -> Part:
        """The part of a file, cut to the ``safe`` bytes that are known to have reached the disk."""
        self._make(self._parts)
        return Part(self.part_of(file_id), safe)

    def keep(self, part: Part) -> Kept:
        """Close a part whose bytes are all there and give it its name; a file of the same content is the same file."""
        part.sync()
        part.close()
        kept = read_kept(part.path)
        home = self.path_of(kept.sha256)
        self._make(home.parent)
        part.path.replace(home)
        platform.sync_folder(home.parent)
        return kept

    def drop_part(self, file_id: str) -> None:
        self.part_of(file_id).unlink(missing_ok=True)

    def drop(self, sha256: str) -> None:
        self.path_of(sha256).unlink(missing_ok=True)

    def kept_files(self) -> Iterator[Path]:
        return (path for path in self._kept.glob("??/*") if path.is_file())

    def part_files(self) -> Iterator[Path]:
        return (path for path in self._parts.glob("*.part") if path.is_file())

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            folder.mkdir(parents=True, exist_ok=True)
            platform.make_private(self._root)


def read_kept(path: Path) -> Kept:
    """What a file holds, read whole."""
    digest, head, size = hashlib.sha256(), b"", 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            head = head or block[:HEAD_BYTES]
            digest.update(block)
            size += len(block)
    return Kept(digest.hexdigest(), size, format_of(head))


class Part:
    """A file that grows. ``size`` in bytes, whether they have reached the disk or not. Threads take turns."""

    def __init__(self, path: Path, safe: int) -> None:
        self.path = path
        self._turn = threading.Lock()
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "r+b", buffering=0)
        self.size = min(self._file.seek(0, os.SEEK_END), safe)
        self._file.truncate(self.size)
        self._file.seek(self.size)

    def restart(self) -> None:
        with self._turn:
            self._file.truncate(0)
            self._file.seek(0)
            self.size = 0

    def append(self, data: bytes) -> None:
        view = memoryview(data)
        with self._turn:
            while view:  # a disk that is nearly full takes a part, then refuses
                taken = self._file.write(view) or 0
                self.size += taken
                view = view[taken:]

    def sync(self) -> int:
        """Returns how many bytes are on the disk then."""
        with self._turn:
            platform.sync_file(self._file.fileno())
            return self.size

    def close(self) -> None:
        with self._turn:
            self._file.close()
