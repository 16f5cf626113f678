"""The demo's journeys: a shipment of its mSupply in a batch of its driver platform, on a lorry with two probes.

One lies behind: fuel was stolen on the way, one delivery is told from a place where the lorry never was. Another one is
under way. All that is asked of the peers here is where and when; what comes of it is found by the console itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import groupby
from typing import Any, Final, Protocol

from sqlalchemy import Connection, select

from app.store.store import Store
from app.store.tables import FacilityRow, Integration

KEY: Final = "mod4"
NAME: Final = "Mod4 (demo platform)"
SUPPLY: Final = "msupply"
PLATE: Final = "ABJ-733-PK"
STORE: Final = ("Niger State Central Medical Store", 9.6039, 6.5469)
HOSPITAL: Final = ("General Hospital Suleja", 9.1806, 7.1794)
CLINIC: Final = ("Primary Health Centre Tafa", 9.2167, 7.2500)
"""Eight kilometres beyond: its delivery is told, and the lorry never came near."""
HALFWAY: Final = ("Primary Health Centre Paiko", 9.4347, 6.6331)
ROUTE: Final = tuple(place[1:] for place in (STORE, HALFWAY, HOSPITAL))
DRIVEN: Final = "Suleja run 214"
UNDER_WAY: Final = "Suleja run 215"
NEAR_DEG: Final = 0.003
_MINUTE_MS: Final = 60_000
_HOUR_MS: Final = 60 * _MINUTE_MS
_WHO: Final = "demo"
_WAIT_S: Final = 0.5


class Moment(Protocol):
    """Where the lorry was at a minute of its past; ``point`` is latitude and longitude."""

    @property
    def at_ms(self) -> int: ...
    @property
    def point(self) -> tuple[float, float]: ...


@dataclass(frozen=True, slots=True)
class Past:
    """When it was loaded, left, delivered, came home and was received, in ms of Unix time."""

    ordered_ms: int
    shipped_ms: int
    started_ms: int
    delivered_ms: int
    told_ms: int
    ended_ms: int
    received_ms: int


def past_journey(moments: Sequence[Moment], theft_ms: int, until_ms: int) -> Past | None:
    """The last drive from the store to the hospital with the theft between start and end; None where there is none.

    The theft may lie before the delivery or after it, while the lorry stands overnight.
    """
    stays = _stays(moments, HOSPITAL)
    after = [first for first, _last in stays if theft_ms <= first <= until_ms - 3 * _HOUR_MS]
    before = [first for first, last in stays if first < theft_ms and last - first >= 30 * _MINUTE_MS]
    arrived = after[0] if after else before[-1] if before else None
    if arrived is None:
        return None
    departures = [last for _first, last in _stays(moments, STORE) if last < min(arrived, theft_ms)]
    if not departures:
        return None
    started, told = departures[-1], arrived + 50 * _MINUTE_MS
    ended = max(told, theft_ms + 90 * _MINUTE_MS) + 20 * _MINUTE_MS
    received = min(ended + 40 * _MINUTE_MS, until_ms - 10 * _MINUTE_MS)
    return Past(started - 30 * _HOUR_MS, started - _HOUR_MS, started, arrived + 20 * _MINUTE_MS, told, ended, received)


def _stays(moments: Sequence[Moment], place: tuple[str, float, float]) -> list[tuple[int, int]]:
    """(first, last) of each time the lorry was at a place."""

    def is_there(moment: Moment) -> bool:
        lat, lon = moment.point
        return abs(lat - place[1]) < NEAR_DEG and abs(lon - place[2]) < NEAR_DEG

    found = []
    for there, group in groupby(moments, key=is_there):
        times = [moment.at_ms for moment in group]
        if there:
            found.append((times[0], times[-1]))
    return found


def platform_options(past: Past | None, follow: Any) -> dict[str, Any]:
    """For the simulator of the driver platform; ``follow`` gives the lorry's latitude and longitude now."""
    under_way = {
        "name": UNDER_WAY,
        "plate": PLATE,
        "start": STORE,
        "stops": (HALFWAY, HOSPITAL),
        "follow": follow,
        "notes": "Second run of the week",
    }
    journeys: list[Mapping[str, Any]] = [under_way]
    if past is not None:
        behind = {"started_ms": past.started_ms, "ended_ms": past.ended_ms,
                  "delivered_ms": (past.delivered_ms, past.told_ms)}  # fmt: skip
        journeys.insert(
            0, {"name": DRIVEN, "plate": PLATE, "start": STORE, "stops": (HOSPITAL, CLINIC), "past": behind}
        )
    return {"seed": 24, "journeys": journeys, "apps": 2, "pace": 4.0, "photos": True}


def supply_options(past: Past | None) -> dict[str, Any]:
    """For the simulator of mSupply: the shipment that travelled; its transport reference names the batch."""
    if past is None:
        return {}
    shipment = {"customer": HOSPITAL[0], "ordered_ms": past.ordered_ms, "shipped_ms": past.shipped_ms,
                "received_ms": past.received_ms, "transport_reference": f"{DRIVEN}, {PLATE}"}  # fmt: skip
    return {"shipments": (shipment,)}


async def set_up(store: Store, now: datetime) -> None:
    """Wait until both systems have told of their facilities, then say which are the same, as a dispatcher would."""
    while not (pairs := await asyncio.to_thread(_same, store)):  # noqa: ASYNC110 - another process reads
        await asyncio.sleep(_WAIT_S)
    await asyncio.wrap_future(store.write(partial(_join, pairs=pairs, now=now)))


def _same(store: Store) -> list[tuple[str, str]]:
    """Rows of facilities of the two systems with the same name; none until the hospital is among them."""
    row = FacilityRow
    query = (
        select(row.id, row.name, Integration.type)
        .join(Integration, Integration.id == row.integration_id)
        .where(Integration.type.in_((KEY, SUPPLY)), Integration.removed_at.is_(None), row.gone_at.is_(None))
    )
    by_name: dict[str, dict[str, str]] = {}
    with store.read() as connection:
        for one in connection.execute(query.order_by(row.key)):
            by_name.setdefault(one.name, {}).setdefault(one.type, one.id)
    pairs = {name: (ids[SUPPLY], ids[KEY]) for name, ids in by_name.items() if len(ids) == 2}
    return list(pairs.values()) if HOSPITAL[0] in pairs else []


def _join(connection: Connection, pairs: Sequence[tuple[str, str]], now: datetime) -> None:
    from app.identity.acts import Pair, accept

    wanted = [Pair(min(pair), max(pair), "name", "The names are equal.") for pair in pairs]
    accept(connection, "facility", wanted, now=now, who=_WHO)
