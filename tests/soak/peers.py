"""Three simulated supply systems behind lines that break, on lent time, and the log of what they applied."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.msupply import simulator as msupply
from adapters.msupply.simulator_faults import Line
from adapters.msupply.simulator_world import World as MSupplyWorld
from adapters.nhlmis import simulator as nhlmis
from adapters.nhlmis.profile import approval_code
from adapters.nhlmis.profile_files import load_profile
from adapters.nhlmis.simulator_world import World as NhlmisWorld
from adapters.openlmis import simulator as openlmis
from adapters.openlmis.simulator_world import World as OpenLmisWorld

SPEED = 120.0
MOST_OPEN = 120
OWN = "own-depot"
KEYS = ("msupply", "openlmis", "nhlmis")
SHARES = (45, 45, 10)
"""NHLMIS has a budget of requests that no clock but the real one refills."""
OPEN = ("waiting", "sending", "doubtful", "conflict", "refused", "set_aside")


class FastClock:
    """Real time, :data:`SPEED` times as fast."""

    def __init__(self) -> None:
        self._start_s, self._start_ms = time.monotonic(), time.time_ns() // 1_000_000

    def now_ms(self) -> int:
        return self._start_ms + round((time.monotonic() - self._start_s) * 1000 * SPEED)

    def monotonic(self) -> float:
        return self._start_s + (time.monotonic() - self._start_s) * SPEED

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / SPEED)


@dataclass
class Report:
    operations: int = 0
    accepted: int = 0
    accepted_during_faults: int = 0
    refused_here: int = 0
    refusals: Counter[str] = field(default_factory=Counter)
    conflicts: int = 0
    restarts: int = 0
    given_up: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    apart: list[str] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    by_peer: Counter[str] = field(default_factory=Counter)

    @property
    def ok(self) -> bool:
        during = all(self.by_peer[key] > 0 for key in KEYS) and self.accepted_during_faults > 0
        return during and not (self.lost or self.doubled or self.apart or self.open)

    def __str__(self) -> str:
        return (
            f"{self.operations} operations, {self.accepted} accepted ({self.accepted_during_faults} while faults were "
            f"on; {dict(self.by_peer)}), {self.conflicts} conflicts, {self.given_up} refused for good, {self.restarts} "
            f"restarts of the engine, {sum(self.faults.values())} spells of faults {dict(self.faults)}; lost "
            f"{self.lost[:5]}, doubled {self.doubled[:5]}, apart {self.apart[:5]}, open {self.open[:5]}"
        )


class Peers:
    """The three servers with a relay before each, and what each applied, as (record, field, value)."""

    def __init__(self, clock: FastClock, rng: random.Random, folder: Path) -> None:
        now_ms = clock.now_ms()
        self.profile = folder / "profile.json"
        self.profile.write_text('{"limits": {"per_minute": 600}}', "utf-8")  # the budget is real time
        self.clock, self.rng = clock, rng
        self.msupply = msupply.MSupplyServer(
            MSupplyWorld(now_ms=now_ms, items=60, facilities=10, papers=40, history_days=60, seed=5),
            refusal_delay_s=0.02,
        )
        self.openlmis = openlmis.OpenLmisServer(OpenLmisWorld(start_ms=now_ms, seed=6, facilities=10, items=40))
        profile = load_profile(str(self.profile))
        self.nhlmis = nhlmis.NhlmisServer(NhlmisWorld(orders=40, start_ms=now_ms, seed=7), profile)
        self.servers: dict[str, Any] = {"msupply": self.msupply, "openlmis": self.openlmis, "nhlmis": self.nhlmis}
        self.lines: dict[str, Line] = {}
        self.applied: list[tuple[str, str, str]] = []
        self._watch()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for key, server in self.servers.items():
                await server.start()
                stack.push_async_callback(server.stop)
                line = self.lines[key] = Line(server.port)
                await line.start()
                stack.push_async_callback(line.stop)
            await asyncio.to_thread(self.openlmis.life.history, 160)
            living = asyncio.create_task(self._live())
            stack.callback(living.cancel)
            yield

    def settings(self) -> dict[str, tuple[dict[str, Any], dict[str, str]]]:
        """Values and secrets of each integration, at the relays' ports."""
        urls = {key: f"http://127.0.0.1:{line.port}" for key, line in self.lines.items()}
        own = self.msupply.settings()
        accounts = self.openlmis.accounts
        url = f"{urls['nhlmis']}/v1"
        code = approval_code(self.nhlmis.profile, url)
        return {
            "msupply": (
                {**{name: value for name, value in own.items() if name != "password"}, "url": urls["msupply"]},
                {"password": own["password"]},
            ),
            "openlmis": (
                {
                    "url": urls["openlmis"],
                    "auth": "user",
                    "client_id": accounts.client_id,
                    "username": accounts.username,
                    "facilities": self.openlmis.world.store["code"],
                },
                {"client_secret": accounts.client_secret, "password": accounts.password},
            ),
            "nhlmis": (
                {"url": url, "profile": str(self.profile), "profile_approved": True, "approved_code": code},
                {"api_key": nhlmis.KEY},
            ),
        }

    def edit(self) -> None:
        """Somebody changes a line at a peer."""
        if self.rng.random() < 0.5:
            lines = [
                line
                for paper in self.msupply.world.requisitions.values()
                if paper["type"] == "RESPONSE" and paper["status"] == "NEW"
                for line in paper["_lines"].values()
            ]
            if lines:
                self.rng.choice(lines)["supplyQuantity"] = self.rng.randint(700_000, 799_999)
                self.msupply.world.touch()
            return
        world = self.openlmis.world
        papers = [one for one in world.requisitions.values() if one["status"] in ("INITIATED", "SUBMITTED")]
        if papers:
            paper = self.rng.choice(papers)
            if paper["requisitionLineItems"]:
                self.rng.choice(paper["requisitionLineItems"])["requestedQuantity"] = self.rng.randint(700_000, 799_999)
                paper["modifiedDate"] = openlmis_moment(world)
                world.versions[paper["id"]] += 1

    def disturb(self) -> str:
        """Switch one fault on at one peer; returns its name. Some end by themselves, all with :meth:`heal`."""
        key = self.rng.choice(KEYS)
        line, server = self.lines[key], self.servers[key]
        kind = self.rng.choice(["request", "reply", "down", "server", "server", "server", "session", "refuse"])
        if kind == "request":
            line.cut_request_after = self.rng.randint(1, 2_500)
        elif kind == "reply":
            line.cut_reply_after = self.rng.randint(1, 4_000)
        elif kind == "down":
            line.is_down = True
            line.break_all()
        elif kind == "server":
            faults = server.faults
            kinds = {
                "msupply": ("html_502", "html", "cut_reply", "empty", "text", "half_json", "503", "internal_error"),
                "openlmis": ("html", "html_502", "cut", "cut_request", "empty", "text", "429", "500", "502", "503"),
                "nhlmis": ("html", "html_502", "half_json", "empty", "text", "lost_answer", "429", "500", "502"),
            }[key]  # fmt: skip
            faults.kind, faults.left = self.rng.choice(kinds), self.rng.randint(1, 6)
            if key == "msupply":
                faults.applies, faults.after = self.rng.random() < 0.5, self.rng.randint(0, 200)
            kind = str(faults.kind)
        elif kind == "session":
            self._end_sessions(key)
        else:
            self._refuse(key)
        return f"{key} {kind}"

    def heal(self) -> None:
        for key, server in self.servers.items():
            line = self.lines[key]
            line.cut_request_after = line.cut_reply_after = None
            line.is_down = False
            server.faults.clear()
        self.msupply.api.rules.refused_for_ever.clear()
        self.openlmis.world.refuses.clear()

    def _end_sessions(self, key: str) -> None:
        if key == "msupply":
            self.msupply.account.revoke()
        elif key == "openlmis":
            self.openlmis.accounts.tokens.clear()

    def _refuse(self, key: str) -> None:
        if key == "msupply":
            papers = [one for one in self.msupply.world.requisitions.values() if one["status"] == "NEW"]
            lines = [line for paper in papers for line in paper["_lines"]]
            if lines:
                self.msupply.api.rules.refused_for_ever.add(self.rng.choice(lines))
        elif key == "openlmis" and self.openlmis.world.requisitions:
            self.openlmis.world.refuses.add(self.rng.choice(list(self.openlmis.world.requisitions)))

    async def _live(self) -> None:
        """The worlds' clocks go on with ours."""
        while True:
            for server in self.servers.values():
                server.world.now_ms = max(server.world.now_ms, self.clock.now_ms())
            await asyncio.sleep(0.02)

    def _watch(self) -> None:
        """Log what is applied, where the simulators do not do it themselves."""
        rules, requisitions = self.msupply.api.rules, self.openlmis.requisitions
        note, update = rules._note, requisitions.update

        def noted(mutation: str, found: str, value: str) -> None:
            node = self.msupply.world.invoices.get(found)
            told = node["transportReference"] if node is not None and mutation == "updateOutboundShipment" else value
            self.applied.append(("msupply", found, str(told).removesuffix(".0")))
            note(mutation, found, value)

        def updated(key: str, body: Any, if_match: str | None) -> Any:
            before = {line["id"]: dict(line) for line in requisitions.get(key)["requisitionLineItems"]}
            after = update(key, body, if_match)
            for line in after["requisitionLineItems"]:
                for name in ("requestedQuantity", "approvedQuantity"):
                    if line.get(name) != before[line["id"]].get(name):
                        self.applied.append(("openlmis", line["id"], str(line.get(name))))
            return after

        rules._note = noted  # type: ignore[method-assign]
        requisitions.update = updated  # type: ignore[method-assign]


def openlmis_moment(world: OpenLmisWorld) -> str:
    from adapters.openlmis.simulator_world import moment

    return moment(world.tick())


def values_told(values: Mapping[str, Any]) -> list[str]:
    """As the peers' logs tell them."""
    told = []
    for value in values.values():
        if isinstance(value, str) and value.startswith("{"):
            told.append(value.partition('"number":"')[2].partition('"')[0])
        else:
            told.append(str(value).removesuffix(".0"))
    return told


def number_in(body: Any) -> str:
    """Our shipment's number, wherever the profile puts it."""
    if isinstance(body, dict):
        return next(filter(None, map(number_in, body.values())), "")
    if isinstance(body, list):
        return next(filter(None, map(number_in, body)), "")
    return body if isinstance(body, str) and body[:1] == "S" and body[1:].isdigit() else ""
