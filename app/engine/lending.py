"""The commands ``port.lend`` and ``port.return``: the engine's side of a port that the workbench borrows."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from app.engine.commands import RETURN, Wish
from app.engine.coordinator import Coordinator
from app.engine.loans import LOAN_S
from app.engine.ports import Ports

LET_GO_S = 2.0


async def carry_out_loan(wish: Wish, ports: Ports, coordinators: Sequence[Coordinator]) -> Mapping[str, Any]:
    """The outcome: ``lent_by`` names the integrations that gave the port up; nobody has to use it."""
    port, borrower = str(wish.payload.get("port") or ""), str(wish.payload.get("borrower") or "")
    if not port or not borrower:
        return {"ok": False, "error": "The command names no port or no borrower."}
    if wish.name == RETURN:
        if not ports.loans.end(port, borrower):
            return {"ok": False, "error": f"{port} was not lent to this borrower, or no longer."}
        await _ask_all(coordinators, port, 0)
        return {"ok": True}
    if not ports.loans.lend(port, borrower, ports.clock.now_ms(), ports.clock.monotonic()):
        return {"ok": False, "error": f"{port} is in use by another workbench at this computer. Close that one first."}
    holding = await _ask_all(coordinators, port, LOAN_S)
    if holding is None:
        ports.loans.end(port, borrower)
        await _ask_all(coordinators, port, 0)
        return {"ok": False, "error": f"The integration that reads {port} did not let go of it. Disable it, try again."}
    return {"ok": True, "lent_by": holding, "seconds": LOAN_S}


async def _ask_all(coordinators: Sequence[Coordinator], port: str, seconds: float) -> list[str] | None:
    """The names of those that use the port; None when one did not answer in time."""
    try:
        async with asyncio.timeout(LET_GO_S):
            uses = await asyncio.gather(*(one.lend(port, seconds) for one in coordinators))
    except TimeoutError:
        return None
    return [one.configured.name for one, does in zip(coordinators, uses, strict=True) if does]
