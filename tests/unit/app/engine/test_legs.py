from __future__ import annotations

from random import Random
from typing import Any

import pytest

from adapters.errors import BadReply, NotReady
from app.engine.legs import PROVEN_AFTER_S, Leg, judge, spoken
from app.engine.phases import Phase
from app.store.errors import StoreFull
from tests.helpers.fake_adapter import LentClock

NOW_MS = 1_750_000_000_000


def verdict(*legs: Leg, **options: Any) -> Any:
    settings: dict[str, Any] = {
        "store_trouble": None,
        "detail": "Listening on 127.0.0.1:5022",
        "last_data_ms": NOW_MS,
        "stale_after_s": 600,
        "now_ms": NOW_MS,
    }
    return judge(legs, **(settings | options))


def working(name: str = "listen") -> Leg:
    leg = Leg(name)
    leg.works(0.0)
    return leg


def test_a_leg_that_has_not_answered_yet_is_starting() -> None:
    assert verdict(Leg("listen")).phase is Phase.STARTING


def test_fresh_data_is_healthy() -> None:
    assert verdict(working()).phase is Phase.HEALTHY


def test_an_open_connection_without_any_data_is_not_healthy_and_says_so() -> None:
    found = verdict(working(), last_data_ms=None)
    assert found.phase is Phase.STALE
    assert found.reason == "Listening on 127.0.0.1:5022. No device has reported yet."


def test_old_data_is_stale_from_the_second_on_that_the_manifest_names() -> None:
    assert verdict(working(), last_data_ms=NOW_MS - 600_000).phase is Phase.HEALTHY
    found = verdict(working(), last_data_ms=NOW_MS - 600_001)
    assert found.phase is Phase.STALE
    assert "10 min" in found.reason


def test_data_may_rest_where_the_manifest_says_so() -> None:
    assert verdict(working(), last_data_ms=None, stale_after_s=0).phase is Phase.HEALTHY


def test_a_lost_live_connection_is_retrying_and_says_that_fetching_goes_on() -> None:
    clock = LentClock(NOW_MS)
    listen = working()
    listen.fails(NotReady("The live connection broke."), clock, Random(1))
    found = verdict(listen, working("fetch"))
    assert found.phase is Phase.RETRYING
    assert found.reason.startswith("The live connection broke.")
    assert "fetched at each scheduled run" in found.reason
    assert found.error_kind == "NotReady"
    assert found.next_try_ms == listen.next_try_ms
    assert found.failures == 1


def test_a_store_that_refuses_outweighs_everything() -> None:
    found = verdict(working(), store_trouble=StoreFull("The disk is full. Free some space."))
    assert found.phase is Phase.RETRYING
    assert "nothing of it is acknowledged" in found.reason
    assert "disk is full" in found.reason
    assert found.error_kind == "StoreFull"


def test_an_open_socket_alone_does_not_reset_the_growing_delays() -> None:
    clock, leg = LentClock(), Leg("listen")
    for expected in (1, 2, 3):
        leg.fails(BadReply("odd"), clock, Random(1))
        assert leg.failures == expected
        leg.works(clock.monotonic())


async def test_a_connection_that_lasted_resets_the_growing_delays() -> None:
    clock, leg = LentClock(), Leg("listen")
    for _ in range(5):
        leg.fails(NotReady("gone"), clock, Random(1))
    leg.works(clock.monotonic())
    await clock.advance(PROVEN_AFTER_S)
    leg.fails(NotReady("gone"), clock, Random(1))
    assert leg.failures == 1


def test_data_resets_the_growing_delays() -> None:
    clock, leg = LentClock(), Leg("listen")
    for _ in range(5):
        leg.fails(NotReady("gone"), clock, Random(1))
    leg.works(clock.monotonic())
    leg.proven()
    leg.fails(NotReady("gone"), clock, Random(1))
    assert leg.failures == 1


@pytest.mark.parametrize(("seconds", "text"), [(40, "40 s"), (600, "10 min"), (7200, "2 h"), (86_400, "24 h")])
def test_durations_are_spoken_plainly(seconds: float, text: str) -> None:
    assert spoken(seconds) == text
