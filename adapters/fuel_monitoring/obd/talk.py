"""Speaking with an ELM327 over a line: one command at a time, never before the prompt (fuel-sensors.md 5)."""

from __future__ import annotations

import asyncio
from typing import Final

from adapters.errors import NotReady
from adapters.fuel_monitoring.obd.elm327 import ElmParser, ElmResult, read_reply
from adapters.fuel_monitoring.obd.session import ORDINARY_S, ElmSession
from adapters.fuel_monitoring.port import SerialLine

_PROMPT_S: Final = 2.0


class ElmTalk:
    """An adapter behind a line, and how far it is set up. ``last_reply`` are the bytes of the newest whole reply."""

    def __init__(self, line: SerialLine) -> None:
        self.elm = ElmSession()
        self.last_reply = b""
        self._line = line
        self._knows_prompt = True

    def forget(self) -> None:
        """An adapter that was pulled has to be set up again."""
        self.elm = ElmSession()
        self._knows_prompt = True

    async def set_up(self) -> None:
        """Do what is left of the set-up; after trouble, search the protocol again. Raises NotReady without an adapter.

        A vehicle that does not answer is no error: ``elm.trouble`` says why.
        """
        if self.elm.trouble:
            self.elm.restart()
        while (step := self.elm.next_step()) is not None:
            result = await self.command(step.command, step.timeout_s)
            if "STOPPED" in result.lines:  # something of an earlier program was still running
                result = await self.command(step.command, step.timeout_s)
            if step.command == "ATZ" and result.error == "incomplete" and not result.lines:
                raise NotReady(f"No OBD adapter answers at {self._line.path}. Choose the right port and speed.")
            self.elm.take(result)

    async def command(self, command: str, timeout_s: float = ORDINARY_S) -> ElmResult:
        """One command and its whole reply. Never before the prompt: any byte would abort what runs."""
        if not self._knows_prompt:
            await self._find_prompt()
        self._line.take()
        await self._line.write(command.encode("ascii") + b"\r")
        reply = await self._reply(timeout_s)
        self._knows_prompt = reply is not None
        self.last_reply = reply or b""
        return read_reply(command, self.last_reply)

    async def value(self, pid: int) -> ElmResult:
        """A parameter of mode 1; what the reply means for the adapter is taken note of."""
        result = await self.command(f"01{pid:02X}")
        self.elm.note(pid, result)
        return result

    async def _find_prompt(self) -> None:
        await self._line.write(b"\r")
        await self._reply(_PROMPT_S)

    async def _reply(self, timeout_s: float) -> bytes | None:
        parser, loop = ElmParser(), asyncio.get_running_loop()
        ends_s = loop.time() + timeout_s
        while (left_s := ends_s - loop.time()) > 0:
            replies = parser.feed(await self._line.read(left_s))
            if replies:
                return replies[0]
        return None
