"""A complete integration of a third party: thermometers that answer one line of text over TCP.

The peer greets a token with ``OK <serial> <version>`` or ``NO``, and ``READ`` with ``T <degrees Celsius>``.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from typing import ClassVar

from pydantic import SecretStr

from adapters.base import Adapter, CheckStep, Identity, Layer, Manifest, Settings, Stream, setting
from adapters.errors import AuthFailed, BadReply, NotReady
from adapters.records import Batch, DeviceStatus

_ANSWER_WITHIN_S = 10.0
_LONGEST_LINE = 200


class ColdRoomSettings(Settings):
    """Where the thermometer answers, and the word that it wants to hear."""

    host: str = setting("Address", "host", example="10.0.0.17", min_length=1, max_length=253)
    port: int = setting("Port", "port", default=7070, ge=1, le=65535)
    token: SecretStr = setting("Token", "secret", help="Printed under the thermometer.")
    poll_interval_s: int = setting("Ask every", "number", default=60, unit="s", tab="sync", ge=10, le=3600)


class ColdRoomAdapter(Adapter[ColdRoomSettings]):
    """One thermometer."""

    manifest: ClassVar[Manifest] = Manifest(
        key="cold_room",
        name="Cold Room Thermometer",
        description="Temperature of a cold room, from a thermometer in the depot's network.",
        category="telemetry",
        icon="thermometer",
        capabilities=("Room temperature",),
        settings=ColdRoomSettings,
        modes=frozenset({"pull"}),
        streams=(Stream("temperature", "Temperature"),),
        simulator="biko_cold_room.simulator:simulate",
    )

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Sign in, and tell whose thermometer answered."""
        async with _Line(self.settings) as line:
            step(CheckStep(Layer.ROUTE, ok=True, detail="The thermometer takes the connection."))
            serial, version = await line.sign_in()
        step(CheckStep(Layer.SIGN_IN, ok=True, detail="The thermometer knows the token."))
        return Identity(f"cold_room:{serial}", f"Thermometer {serial}", version)

    async def fetch(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """One reading; the cursor is the time of the last."""
        async with _Line(self.settings) as line:
            serial, _ = await line.sign_in()
            degrees_c = await line.read_temperature()
        now_ms = self.kit.clock.now_ms()
        status = DeviceStatus(serial, now_ms, "cold_room", "reading", attributes={"temperature_c": degrees_c})
        yield Batch((status,), {"temperature": str(now_ms)})


class _Line:
    """One conversation."""

    def __init__(self, settings: ColdRoomSettings) -> None:
        self._settings = settings
        self._name = f"the thermometer at {settings.host}:{settings.port}"

    async def __aenter__(self) -> _Line:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                self._reader, self._writer = await asyncio.open_connection(
                    self._settings.host, self._settings.port, limit=_LONGEST_LINE
                )
        except (OSError, TimeoutError) as err:
            raise NotReady(f"There is no connection to {self._name}. Check its cable and address.") from err
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        try:
            await self._writer.wait_closed()
        except OSError:
            return

    async def sign_in(self) -> tuple[str, str]:
        words = await self._ask(f"HELLO {self._settings.token.get_secret_value()}")
        if words == ["NO"]:
            raise AuthFailed(f"The token is not the one of {self._name}. Read it under the thermometer again.")
        if len(words) != 3 or words[0] != "OK":
            raise BadReply(f"Something else than a thermometer answers as {self._name}. Check the port.", str(words))
        return words[1], words[2]

    async def read_temperature(self) -> float:
        words = await self._ask("READ")
        try:
            return float(words[1])
        except (IndexError, ValueError) as err:
            raise BadReply(f"The reading of {self._name} is no number. Restart it.", str(words)) from err

    async def _ask(self, question: str) -> list[str]:
        try:
            async with asyncio.timeout(_ANSWER_WITHIN_S):
                self._writer.write(question.encode() + b"\n")
                await self._writer.drain()
                line = await self._reader.readline()
        except TimeoutError as err:
            raise NotReady(f"The answer of {self._name} does not come. It is asked again by itself.") from err
        except OSError as err:
            raise NotReady(f"The connection to {self._name} broke. It is tried again by itself.") from err
        except ValueError as err:
            raise BadReply(f"An endless line comes from {self._name}. Check the port.") from err
        return line.decode("utf-8", errors="replace").split()
