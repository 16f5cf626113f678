"""The clock of the replay keeps its pace whatever the machine's."""

from __future__ import annotations

from pytestqt.qtbot import QtBot

from widgets.map.replay import Replay

T0 = 1_767_225_600_000


class Stopwatch:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def a_replay(qapp: object) -> tuple[Replay, Stopwatch, list[int]]:
    watch = Stopwatch()
    replay = Replay(monotonic=watch)
    seen: list[int] = []
    replay.moved.connect(seen.append)
    replay.set_range(T0, T0 + 3_600_000)
    return replay, watch, seen


def test_it_moves_by_the_time_that_passed(qapp: object) -> None:
    replay, watch, seen = a_replay(qapp)
    replay.speed = 60
    replay.play()
    for passed_s in (0.04, 0.5, 0.01):
        watch.now += passed_s
        replay.step()
    assert replay.now_ms == T0 + 33_000
    assert seen == sorted(seen)
    replay.pause()


def test_it_stops_at_the_end_and_begins_again(qapp: object) -> None:
    replay, watch, _seen = a_replay(qapp)
    states: list[bool] = []
    replay.playing_changed.connect(states.append)
    replay.play()
    watch.now += 1_000
    replay.step()
    assert (replay.now_ms, replay.is_playing) == (T0 + 3_600_000, False)
    replay.toggle()
    assert (replay.now_ms, replay.is_playing) == (T0, True)
    replay.toggle()
    assert states == [True, False, True, False]


def test_times_outside_are_brought_in_and_an_empty_range_does_not_play(qapp: object) -> None:
    replay, _watch, _seen = a_replay(qapp)
    replay.set_time(T0 - 5)
    assert replay.now_ms == T0
    replay.set_time(T0 + 10**9)
    assert replay.now_ms == T0 + 3_600_000
    replay.set_range(T0, T0)
    replay.play()
    assert not replay.is_playing


def test_the_timer_drives_it(qapp: object, qtbot: QtBot) -> None:
    replay = Replay()
    replay.set_range(T0, T0 + 3_600_000)
    replay.speed = 1200
    replay.play()
    qtbot.waitUntil(lambda: replay.now_ms > T0 + 60_000)
    replay.pause()
