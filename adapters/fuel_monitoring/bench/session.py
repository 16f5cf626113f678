"""What the sessions of all dialects share: the line, its traffic, its counters, what cannot be done."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence

from adapters.bench import Counters, Dialect, Found, Level, SensorFacts, SensorSetting, Traffic, Written
from adapters.errors import Unsupported
from adapters.fuel_monitoring import ports
from adapters.fuel_monitoring.bench.explain import TrafficExplainer
from adapters.fuel_monitoring.bench.link import Link
from adapters.fuel_monitoring.port import SerialLine


class Session(ABC):
    """An open port with one dialect (adapters.bench.BenchSession). Subclasses speak."""

    def __init__(
        self,
        port: str,
        dialect: Dialect,
        speed: int,
        options: Mapping[str, str],
        find: ports.Find,
        *,
        line_speed: int | None = None,
        on_data: Callable[[bytes], None] | None = None,
    ) -> None:
        self.dialect = dialect
        self.speed = speed
        self.options = options
        self._watchers: dict[object, Callable[[Traffic], None]] = {}
        self._explainer = TrafficExplainer(dialect.key)
        self.line = SerialLine(
            port,
            line_speed or speed,
            find=find,
            on_traffic=self._on_traffic,
            on_data=on_data,
            on_state=self.on_connection,
        )
        self.link = Link(self.line, self.on_stale)

    @property
    def port(self) -> str:
        return self.line.port

    @property
    def is_connected(self) -> bool:
        return self.line.is_connected

    async def start(self) -> None:
        """Open the port, and set up what is behind it. Raises NotReady, SettingsInvalid."""
        await self.line.open()
        try:
            await self.prepare()
        except BaseException:
            await self.line.close()
            raise

    async def prepare(self) -> None:
        """What a bridge needs before it gives anything; sensors on a bus need nothing."""
        return

    async def close(self) -> None:
        await self.line.close()

    def watch(self, on_traffic: Callable[[Traffic], None]) -> Callable[[], None]:
        key = object()
        self._watchers[key] = on_traffic

        def end() -> None:
            self._watchers.pop(key, None)

        return end

    def counters(self) -> Mapping[int, Counters]:
        return self.link.counters()

    def on_stale(self, data: bytes) -> None:
        """What came while nobody had asked."""
        del data

    def on_connection(self, is_connected: bool) -> None:
        """The adapter was lost, or is back."""
        del is_connected

    def _on_traffic(self, traffic: Traffic) -> None:
        if not self._watchers:
            return
        explained = self._explainer.explain(traffic)
        for watcher in list(self._watchers.values()):
            watcher(explained)

    def scan(
        self, addresses: Sequence[int], speeds: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncIterator[Found]:
        return self.search(addresses, tuple(speeds) or (self.speed,), progress)

    @abstractmethod
    def search(
        self, addresses: Sequence[int], speeds: Sequence[int], progress: Callable[[int, int], None]
    ) -> AsyncGenerator[Found, None]: ...

    @abstractmethod
    async def identify(self, address: int) -> SensorFacts: ...

    @abstractmethod
    async def read(self, address: int) -> Level: ...

    async def settings(self, address: int) -> Sequence[SensorSetting]:  # noqa: ARG002 - dialects without any
        raise Unsupported(f"{self.dialect.label}: there are no settings to read. {self.dialect.read_only_why}")

    async def write(self, address: int, changes: Mapping[str, int | str]) -> Sequence[Written]:  # noqa: ARG002
        raise Unsupported(self.dialect.read_only_why or "This dialect has no documented writes.")

    async def history(self, address: int) -> Sequence[tuple[str, str, str]]:  # noqa: ARG002
        raise Unsupported(f"{self.dialect.label}: these sensors keep no history that can be read.")


def in_search_order(addresses: Sequence[int]) -> list[int]:
    """The addresses that sensors mostly have come first."""
    return sorted(dict.fromkeys(addresses), key=lambda address: (not 1 <= address <= 8, address))
