"""The workbench itself: which ports there are, and a session for one of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from adapters.bench import BenchSession, Dialect, PortInfo, Traffic
from adapters.errors import SettingsInvalid
from adapters.fuel_monitoring import ports
from adapters.fuel_monitoring.bench.can import CanSession
from adapters.fuel_monitoring.bench.dialects import DIALECTS, dialect_of
from adapters.fuel_monitoring.bench.ede import EdeSession
from adapters.fuel_monitoring.bench.explain import explain_capture
from adapters.fuel_monitoring.bench.lls import LlsSession
from adapters.fuel_monitoring.bench.lls_text import LlsTextSession
from adapters.fuel_monitoring.bench.modbus import ModbusSession
from adapters.fuel_monitoring.bench.obd import ObdSession
from adapters.fuel_monitoring.bench.session import Session
from adapters.fuel_monitoring.system import holder_of

_KINDS: Mapping[str, Callable[..., Session]] = {
    "lls": LlsSession,
    "ede": EdeSession,
    "lls_text": LlsTextSession,
    "modbus": ModbusSession,
    "escort_td500": ModbusSession,
    "slcan": CanSession,
    "gvret": CanSession,
    "elm327": ObdSession,
}
_OPTIONS: Mapping[str, frozenset[str]] = {
    "lls": frozenset({"unit"}),
    "ede": frozenset({"unit"}),
    "lls_text": frozenset({"any_count"}),
    "modbus": frozenset({"map"}),
    "slcan": frozenset({"serial_speed"}),
    "gvret": frozenset({"serial_speed"}),
}


class FuelBench:
    """Implements adapters.bench.Bench. ``find`` lists the ports; tests feed recorded entries."""

    def __init__(self, find: ports.Find = ports.system_ports) -> None:
        self._find = find

    def dialects(self) -> Sequence[Dialect]:
        return DIALECTS

    def ports(self) -> Sequence[PortInfo]:
        return ports.list_ports(self._find, holder_of)

    async def open(self, port: str, dialect: str, speed: int, options: Mapping[str, str] | None = None) -> BenchSession:
        spoken = dialect_of(dialect)
        given = dict(options or {})
        known = _OPTIONS.get(dialect, frozenset())
        unknown = sorted(given.keys() - known)
        if unknown:
            offered = ", ".join(sorted(known)) or "none"
            raise SettingsInvalid(unknown[0], f"{spoken.label} has no option “{unknown[0]}”. It has: {offered}.")
        session = _KINDS[dialect](port, spoken, speed or spoken.default_speed, given, self._find)
        await session.start()
        return session

    def explain(self, dialect: str, capture: Sequence[Traffic]) -> Sequence[Traffic]:
        return explain_capture(dialect_of(dialect).key, capture)
