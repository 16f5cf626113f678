"""Files of proofs in every state, as an engine leaves them: rows of the store and files in their folder."""

from __future__ import annotations

import struct
import zlib
from functools import partial
from typing import Any

from sqlalchemy import Connection, select

from adapters.mod4.simulator import pictures
from app.proof_files import queue
from app.proof_files.discover import find_news, take_up
from app.proof_files.folder import ProofFolder
from app.proof_files.queue import DueFile
from app.proof_files.words import FileState
from app.store.tables import ProofFile
from tests.helpers.dispatch import MINUTE_MS, Depot, an_event

BASE = "https://photos.example.org/proofs"
MB = 1_000_000


def bomb() -> bytes:
    """A PNG of a few hundred bytes that claims to be of 3,600 megapixels."""
    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(1000))), (b"IEND", b""))
    chunks = (struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
              for kind, data in parts)  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


class PhotoStates:
    """Tells photos of one stop and puts their files where a test wants them."""

    def __init__(self, depot: Depot, folder: ProofFolder, now_ms: int) -> None:
        self.depot, self.folder, self.now_ms = depot, folder, now_ms

    def tell(self, *names: str, batch: str = "batch-1", facility: str = "clinic-1") -> None:
        """Photos by their names, signatures where the name ends in ``.png``; the engine has taken them up."""
        self.depot.arrive(
            *(
                an_event(
                    f"mod4_events:{name}", "signature" if name.endswith(".png") else "photo",
                    self.now_ms - (50 - at) * MINUTE_MS, batch=batch, facility=facility, photo_url=f"{BASE}/{name}",
                    is_uploaded=True, photo_kind="signature" if name.endswith(".png") else "proof_of_delivery",
                )
                for at, name in enumerate(names)
            )
        )  # fmt: skip
        news = self.depot.ask(find_news)
        if news is not None:
            self.depot.write(partial(take_up, news=news, now_ms=self.now_ms))

    def keep(self, name: str, content: bytes) -> str:
        """As the engine keeps it; returns the SHA-256."""
        file_id = self.id_of(name)
        part = self.folder.open_part(file_id, 0)
        part.append(content)
        kept = self.folder.keep(part)
        self.depot.write(partial(queue.write_kept, file_id=file_id, kept=kept, remark="", now_ms=self.now_ms))
        return kept.sha256

    def coming(self, name: str, received: int, total: int | None) -> None:
        file_id = self.id_of(name)

        def job(connection: Connection) -> None:
            queue.mark_fetching(connection, file_id, self.now_ms)
            queue.note_part(connection, file_id, received, total, '"tag"')

        self.depot.write(job)

    def later(self, name: str, why: str, *, received: int = 0, total: int | None = None) -> None:
        file_id = self.id_of(name)

        def job(connection: Connection) -> None:
            queue.note_part(connection, file_id, received, total, '"tag"')
            queue.write_later(connection, file_id, why, self.now_ms + 5 * MINUTE_MS, 3, self.now_ms)

        self.depot.write(job)

    def aside(self, name: str, state: FileState, why: str) -> None:
        row = self.depot.ask(partial(_row, name=name))
        due = DueFile(row.id, row.integration_id, row.url, row.place, 0, None, "", 0, False)
        self.depot.write(partial(queue.write_aside, file=due, state=state, why=why, now_ms=self.now_ms))

    def id_of(self, name: str) -> str:
        return str(self.depot.ask(partial(_row, name=name)).id)

    def state_of(self, name: str) -> str:
        return str(self.depot.ask(partial(_row, name=name)).state)

    def every_state(self) -> None:
        """A file in each state, all of one stop."""
        names = ("kept.jpg", "coming.jpg", "cut.jpg", "gone.jpg", "page.jpg", "foreign.jpg", "bomb.jpg", "pen.png")
        self.tell(*names)
        self.keep("kept.jpg", pictures.photo("kept", orientation=6))
        self.coming("coming.jpg", 3_200_000, 20 * MB)
        self.later("cut.jpg", "The server does not answer. Check the address.", received=400_000, total=2 * MB)
        self.aside("gone.jpg", FileState.REFUSED, "The server photos.example.org does not have the file (404). "
                   "Ask the driver to upload it again.")  # fmt: skip
        self.keep("page.jpg", b"<html><script>alert(1)</script></html>")
        self.aside("foreign.jpg", FileState.BLOCKED, "The host files.example.net is not allowed. If it is the "
                   "platform's, add it under “Hosts of photos” in the settings.")  # fmt: skip
        self.keep("bomb.jpg", bomb())
        self.keep("pen.png", pictures.signature("pen"))


def _row(connection: Connection, name: str) -> Any:
    return connection.execute(select(ProofFile.__table__).where(ProofFile.url == f"{BASE}/{name}")).one()
