from __future__ import annotations

import threading
import time
import uuid

import pytest

from app.store import ids
from app.store.ids import new_id


def test_an_id_is_a_uuid_of_version_7_of_this_moment() -> None:
    before = time.time_ns() // 1_000_000
    value = uuid.UUID(new_id())
    after = time.time_ns() // 1_000_000
    assert value.version == 7
    assert value.variant == uuid.RFC_4122
    assert before <= value.int >> 80 <= after + 1


def test_ids_ascend_within_a_process_whatever_the_clock_does(monkeypatch: pytest.MonkeyPatch) -> None:
    made = [new_id() for _ in range(2_000)]
    moments = iter([5_000, 4_000, 9_999_999_999_999_000_000, 1, 9_999_999_999_999_000_000])
    with monkeypatch.context() as patched:
        patched.setattr(ids, "_last_ms", ids._last_ms)
        patched.setattr(ids, "_last_counter", ids._last_counter)
        patched.setattr("app.store.ids.time.time_ns", lambda: next(moments))
        made += [new_id() for _ in range(5)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_a_full_counter_moves_on_to_the_next_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last_ms", 2**47)
    monkeypatch.setattr(ids, "_last_counter", 2**74 - 1)
    value = uuid.UUID(new_id())
    assert value.int >> 80 == 2**47 + 1
    assert value.version == 7


def test_ids_of_many_threads_are_all_different() -> None:
    made: list[list[str]] = []
    threads = [threading.Thread(target=lambda: made.append([new_id() for _ in range(2_000)])) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({one for some in made for one in some}) == 8_000
