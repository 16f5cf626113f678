"""One console per data folder: the second asks the first to come to the front, and goes."""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

from PySide6.QtCore import QLockFile, QObject, Signal
from PySide6.QtNetwork import QLocalServer, QLocalSocket

ANSWER_MS = 2_000
_RAISE = b"raise\n"
_RAISED = b"raised\n"
log = logging.getLogger(__name__)


class SingleInstance(QObject):
    """``raise_wanted``: another start for this data folder asked for the window.

    The lock file decides who is first (the system knows whether its owner still lives); the local socket, named by
    the folder, only carries the wish.
    """

    raise_wanted = Signal()

    def __init__(self, data_dir: Path, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._name = f"biko-console-{hashlib.sha256(str(data_dir.resolve()).encode()).hexdigest()[:24]}"
        self._lock = QLockFile(str(data_dir / "console.lock"))
        self._lock.setStaleLockTime(0)  # a long-running console is not stale
        self._server = QLocalServer(self)
        self._server.setSocketOptions(QLocalServer.SocketOption.UserAccessOption)
        self._server.newConnection.connect(self._on_connection)

    def acquire(self) -> bool:
        """True when this is the only console of the folder; it then answers later starts."""
        if not self._lock.tryLock(0):
            if self._lock.error() == QLockFile.LockError.LockFailedError:
                return False
            # A folder where no lock can be made is refused by the store with its own sentence.
            log.warning("No lock file can be made beside the store; a second window would not be noticed")
        QLocalServer.removeServer(self._name)  # what a crash left behind; the lock says nobody uses it
        if not self._server.listen(self._name):
            log.warning("A second start cannot raise this window: %s", self._server.errorString())
        return True

    def raise_first(self) -> bool:
        """Ask the first console to come to the front; False when it does not answer. Blocks for two seconds at most."""
        socket = QLocalSocket()
        socket.connectToServer(self._name)
        if not socket.waitForConnected(ANSWER_MS):
            return False
        socket.write(_RAISE)
        socket.waitForBytesWritten(ANSWER_MS)
        answered = socket.waitForReadyRead(ANSWER_MS) and socket.readAll().data() == _RAISED
        socket.abort()
        return answered

    def holder(self) -> int | None:
        """The process that holds the folder, where that can be told."""
        pid, _host, _application = self._lock.getLockInfo()
        return pid or None

    def leave(self) -> None:
        """Be raised no more: this console is closing. The folder stays claimed, a new start waits for its release."""
        self._server.close()

    def release(self) -> None:
        self._server.close()
        self._lock.unlock()

    def _on_connection(self) -> None:
        socket = self._server.nextPendingConnection()
        socket.readyRead.connect(lambda: self._on_wish(socket))
        socket.disconnected.connect(socket.deleteLater)

    def _on_wish(self, socket: QLocalSocket) -> None:
        if bytes(socket.readAll().data()).startswith(_RAISE):
            socket.write(_RAISED)
            socket.flush()
            self.raise_wanted.emit()
