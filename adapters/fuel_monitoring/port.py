"""One serial port: a reader thread, a bounded queue to the loop, and a connection that outlives its cable.

Paths, hardware ids (:mod:`.ports`), ``socket://host:port`` and ``rfc2217://host:port`` are opened alike. A port that
was opened once comes back by itself when it is lost: the adapter is looked for by its hardware id, whatever its path
is then. All errors are NotReady (taken, no rights, not there, pulled) or SettingsInvalid (no port, no such speed).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Literal

from adapters.bench import Traffic
from adapters.errors import AdapterError, NotReady
from adapters.fuel_monitoring import ports
from adapters.fuel_monitoring.port_errors import explain_open, explain_speed
from adapters.fuel_monitoring.system import holder_of

Parity = Literal["N", "E", "O"]

READ_S: Final = 0.1
"""So long a read waits; a port is closed and a loss is noticed within it."""
WRITE_S: Final = 2.0
RETURN_S: Final = 0.25
"""Between two looks for an adapter that was pulled."""
CLOSE_S: Final = 10.0
QUEUE_BYTES: Final = 1_000_000
_CHUNK: Final = 65_536

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class LineCounters:
    """Since the line was made. ``dropped_bytes`` came while nobody took what was waiting."""

    sent_bytes: int = 0
    received_bytes: int = 0
    dropped_bytes: int = 0
    losses: int = 0


class SerialLine:
    """A port and what passes through it. Made, used and closed on one loop.

    ``on_traffic`` hears everything, with time and direction. What is received waits for :meth:`read`, or goes to
    ``on_data`` where one is given. ``on_state(connected)`` is called when the adapter is lost and when it is back.
    """

    def __init__(
        self,
        port: str,
        speed: int,
        *,
        parity: Parity = "N",
        find: ports.Find = ports.system_ports,
        on_traffic: Callable[[Traffic], None] | None = None,
        on_data: Callable[[bytes], None] | None = None,
        on_state: Callable[[bool], None] | None = None,
        queue_bytes: int = QUEUE_BYTES,
    ) -> None:
        self.port = port
        self.counters = LineCounters()
        self._speed = speed
        self._parity = parity
        self._find = find
        self._on_traffic = on_traffic
        self._on_data = on_data
        self._on_state = on_state
        self._queue_bytes = queue_bytes
        self._hardware_id = port if port.startswith("usb:") else ""
        self._path = port
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closing = threading.Event()
        self._lock = threading.Lock()  # of the device below: nobody writes while it is closed
        self._device: Any = None
        self._news: deque[Traffic | bool] = deque()  # from the thread: what came, and whether it is connected
        self._news_bytes = 0
        self._is_told = False
        self._waiting = bytearray()
        self._arrived: asyncio.Event | None = None
        self._connected = False
        self._why = f"{port} is not open."

    @property
    def is_connected(self) -> bool:
        """Whether bytes can pass now."""
        return self._connected

    @property
    def is_open(self) -> bool:
        """Whether it was opened and not closed; the adapter may be pulled meanwhile."""
        return self._thread is not None

    @property
    def path(self) -> str:
        """Where the port was found last."""
        return self._path

    @property
    def speed(self) -> int:
        return self._speed

    async def open(self) -> None:
        """Open for this process alone. Raises NotReady, SettingsInvalid."""
        if self._thread is not None:
            return
        self._loop = asyncio.get_running_loop()
        self._arrived = asyncio.Event()
        self._closing.clear()
        opened: asyncio.Future[None] = self._loop.create_future()
        self._thread = threading.Thread(target=self._serve, args=(opened,), name=f"port {self.port}", daemon=True)
        self._thread.start()
        try:
            await asyncio.shield(opened)
        except asyncio.CancelledError:
            await self.close()
            raise
        except Exception:
            self._thread = None
            raise
        self._take_news()

    async def close(self) -> None:
        """Give the port back. What waits for bytes is told; a closed line may be opened again."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        self._closing.set()
        with self._lock, contextlib.suppress(Exception):  # not every kind of port can be woken
            if self._device is not None:
                self._device.cancel_read()
        await asyncio.to_thread(thread.join, CLOSE_S)
        if thread.is_alive():
            _log.error("the driver of %s does not let go of it", self._path)
        self._take_news()
        self._connected = False
        self._why = f"{self.port} was closed."
        self._waiting.clear()
        if self._arrived is not None:
            self._arrived.set()

    async def read(self, timeout_s: float | None = None) -> bytes:
        """What has arrived, at least one byte; b"" after ``timeout_s``. Raises NotReady while there is no adapter."""
        arrived = self._arrived
        if arrived is None:
            raise NotReady(self._why)
        if not self._waiting:
            if not self._connected:
                raise NotReady(self._why)
            arrived.clear()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(timeout_s):
                    await arrived.wait()
            if not self._waiting and not self._connected:
                raise NotReady(self._why)
        return self.take()

    def take(self) -> bytes:
        """What has arrived and was not read, without waiting."""
        data = bytes(self._waiting)
        self._waiting.clear()
        return data

    async def write(self, data: bytes) -> None:
        """Send. Raises NotReady while there is no adapter, or when the port takes nothing."""
        if not self._connected:
            raise NotReady(self._why)
        self._tell(Traffic(time.time(), "sent", data))
        await asyncio.to_thread(self._write, data)
        self.counters.sent_bytes += len(data)

    async def set_speed(self, speed: int) -> None:
        """Change the speed. Raises NotReady, SettingsInvalid for one that the adapter does not know."""
        if speed == self._speed:
            return
        await asyncio.to_thread(self._set_speed, speed)
        self._speed = speed
        self.note(f"speed {speed}")

    def note(self, text: str) -> None:
        """Put a sentence of the program's own into the traffic."""
        self._tell(Traffic(time.time(), "note", b"", text))

    # -- on the loop ----------------------------------------------------------------------------------------------

    def _take_news(self) -> None:
        with self._lock:
            news, self._news = self._news, deque()
            self._news_bytes, self._is_told = 0, False
        for one in news:
            if isinstance(one, Traffic):
                self._tell(one)
                if one.direction == "received":
                    self._receive(one.data)
            else:
                self._connected = one
                if self._arrived is not None:
                    self._arrived.set()
                if self._on_state is not None:
                    self._on_state(one)

    def _receive(self, data: bytes) -> None:
        self.counters.received_bytes += len(data)
        if self._on_data is not None:
            self._on_data(data)
            return
        self._waiting += data
        too_many = len(self._waiting) - self._queue_bytes
        if too_many > 0:
            del self._waiting[:too_many]
            self.counters.dropped_bytes += too_many
        if self._arrived is not None:
            self._arrived.set()

    def _tell(self, traffic: Traffic) -> None:
        if self._on_traffic is not None:
            self._on_traffic(traffic)

    # -- on the thread --------------------------------------------------------------------------------------------

    def _serve(self, opened: asyncio.Future[None]) -> None:
        device: Any = None
        error: Exception | None = None
        try:
            device = self._try_open()
        except Exception as err:  # noqa: BLE001 - a fault of ours: told to who opens, who would wait for ever
            error = err
        if isinstance(device, AdapterError):
            device, error = None, device
        if device is not None:
            self._post(True)
        self._answer(opened, error)
        try:
            while device is not None and not self._closing.is_set():
                why = self._read_until_lost(device)
                self._release(device)
                device = None
                if not self._closing.is_set():
                    self._lose(why)
                    device = self._wait_for_return()
        finally:
            if device is not None:
                self._release(device)

    def _answer(self, opened: asyncio.Future[None], error: Exception | None) -> None:
        def answer() -> None:
            if opened.done():
                return
            if error is None:
                opened.set_result(None)
            else:
                opened.set_exception(error)

        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(answer)

    def _try_open(self) -> Any:
        """An open device, or the error that says why there is none."""
        import serial

        listed = ports.listed_for(self.port, self._find)
        try:
            path = ports.locate(self._hardware_id or self.port, listed)
        except AdapterError as err:
            return err
        device: Any = None
        if not ports.is_url(path) and (holder := holder_of(path)):
            return NotReady(f"{path} is in use by {holder}. Close that program, then try again.")
        options: dict[str, Any] = {} if ports.is_url(path) else {"exclusive": True, "write_timeout": WRITE_S}
        try:
            device = serial.serial_for_url(
                path,
                baudrate=self._speed,
                parity=self._parity,
                timeout=READ_S,
                do_not_open=True,
                **options,
            )
            device.open()
        except Exception as err:  # noqa: BLE001 - drivers and serial servers raise what they like
            _close_wholly(device)
            return explain_open(path, self._speed, err, listed)
        self._hardware_id = self._hardware_id or ports.id_of(path, listed)
        with self._lock:
            self._path, self._device = path, device
        return device

    def _read_until_lost(self, device: Any) -> str:
        """Hand over what comes until the port is lost or closed; why it was lost."""
        is_socket = self._path.lower().startswith("socket://")
        while not self._closing.is_set():
            try:
                data = device.read(1)
                if data:
                    data += self._rest(device, is_socket=is_socket)
            except (OSError, TypeError, AttributeError) as err:  # the latter: closed underneath by its own library
                return str(err)
            if data:
                self._post(Traffic(time.time(), "received", data))
        return ""

    @staticmethod
    def _rest(device: Any, *, is_socket: bool) -> bytes:
        """What stands behind the first byte already."""
        if not is_socket:
            return bytes(device.read(min(device.in_waiting, _CHUNK)))
        device.timeout = 0  # a socket only says whether something waits, not how much
        try:
            return bytes(device.read(_CHUNK))
        finally:
            device.timeout = READ_S

    def _lose(self, why: str) -> None:
        self.counters.losses += 1
        what = "The connection to" if ports.is_url(self._path) else "The adapter at"
        self._why = f"{what} {self._path} was lost. Plug it in again; the work goes on by itself."
        _log.info("%s was lost: %s", self._path, why)
        self._post(Traffic(time.time(), "note", b"", f"{self._path} was lost"))
        self._post(False)

    def _wait_for_return(self) -> Any:
        """Look for the adapter until it is there; None when the line is closed before."""
        while not self._closing.wait(RETURN_S):
            found = self._try_open()
            if not isinstance(found, AdapterError):
                self._post(Traffic(time.time(), "note", b"", f"{self._path} is connected again"))
                self._post(True)
                return found
            self._why = f"{self._path} was lost and is not back yet. {found.why}"
        return None

    def _release(self, device: Any) -> None:
        with self._lock:
            self._device = None
            _close_wholly(device)

    def _post(self, news: Traffic | bool) -> None:
        """Hand over to the loop; what a loop that stands still cannot take is dropped and counted."""
        size = len(news.data) if isinstance(news, Traffic) else 0
        with self._lock:
            if self._news_bytes + size > self._queue_bytes:
                self.counters.dropped_bytes += size
                return
            self._news.append(news)
            self._news_bytes += size
            if self._is_told:
                return
            self._is_told = True
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop has ended meanwhile
                self._loop.call_soon_threadsafe(self._take_news)

    # -- on a thread of the pool ----------------------------------------------------------------------------------

    def _write(self, data: bytes) -> None:
        import serial

        with self._lock:
            if self._device is None:
                raise NotReady(self._why)
            try:
                self._device.write(data)
            except serial.SerialTimeoutException as err:
                raise NotReady(f"{self._path} takes no bytes. Check the adapter, then try again.") from err
            except OSError as err:
                raise NotReady(f"{self._path} was lost while sending. Plug the adapter in again.") from err

    def _set_speed(self, speed: int) -> None:
        with self._lock:
            if self._device is None:
                raise NotReady(self._why)
            try:
                self._device.baudrate = speed
            except (OSError, ValueError, OverflowError) as err:
                refused = explain_speed(self._path, speed)
                with contextlib.suppress(OSError, ValueError):
                    self._device.baudrate = self._speed
                raise refused from err


def _close_wholly(device: Any) -> None:
    """Close a device, and its socket too: pyserial forgets that one when the peer was gone first."""
    socket = getattr(device, "_socket", None)
    for end in (device, socket):
        if end is not None:
            with contextlib.suppress(Exception):  # what is gone cannot be closed well
                end.close()
