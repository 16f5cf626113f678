"""What every simulated device at the far end of a line is: a thread, a cable that can be pulled, and a turn to take."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final, Self

from adapters.fuel_monitoring.simulator.ends import End

_PULLED_S: Final = 0.02
_JOIN_S: Final = 5.0


class LinePeer(ABC):
    """A device that runs in a thread of its own, so that its delays are its own."""

    name = "peer"
    """Of the thread."""

    def __init__(self, end: End) -> None:
        self._end = end
        self._stopping = threading.Event()
        self._plugged = threading.Event()
        self._was_pulled = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> str:
        """What a program opens: the path of the link, or ``socket://…``."""
        return self._end.port

    def start(self) -> Self:
        self.plug()
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(_JOIN_S)
        self.unplug()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_error: object) -> None:
        self.stop()

    def unplug(self) -> None:
        """The adapter is pulled: its port vanishes, whoever has it open loses it."""
        self._plugged.clear()
        self._was_pulled.set()
        self._end.close()

    def plug(self, link: Path | None = None) -> None:
        """The adapter is back, at the same path or another one."""
        self._end.open(link)
        self._plugged.set()

    # -- on the thread --------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._stopping.is_set():
            if self._was_pulled.is_set():
                self._was_pulled.clear()
                self._forget()
            if self._plugged.wait(_PULLED_S):
                self._take_turn()

    @abstractmethod
    def _take_turn(self) -> None:
        """Hear what came, say what is due; waits for a little while at most."""

    @abstractmethod
    def _forget(self) -> None:
        """What a device without power does not know any more."""
