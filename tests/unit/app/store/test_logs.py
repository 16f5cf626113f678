"""Appending to the event log and finding lines in it, on both databases."""

from __future__ import annotations

import random
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Connection, delete, insert, update

from app.store import logs
from app.store.logs import LogFilter, LogLine, append_log, search_logs
from app.store.store import Store, topic_versions
from app.store.tables import IntegrationLog

START = datetime(2026, 3, 1, tzinfo=UTC)
_ASCII_FOLD = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
A, B = "01a00000-0000-7000-8000-000000000001", "01a00000-0000-7000-8000-000000000002"


def _fill(connection: Connection, count: int = 300) -> None:
    """Line n is n minutes after START; every third is of B, every tenth failed, every seventh of a tracker."""
    rows = [
        {
            "integration_id": B if n % 3 == 0 else A,
            "event_type": "sync_error" if n % 10 == 0 else "sync",
            "payload": {"n": n},
            "created_at": START + timedelta(minutes=n),
            "text": f"Tracker 8634{n:011} silent" if n % 7 == 0 else f"Traccar Kano: {n} positions stored, 50% new",
        }
        for n in range(1, count + 1)
    ]
    connection.execute(insert(IntegrationLog), rows)


@pytest.fixture(params=[20_000, 10], ids=["newest lines", "index"])
def filled(store: Store, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Store:
    """300 lines, found among the newest ones, or nearly all through the index."""
    monkeypatch.setattr(logs, "NEWEST", request.param)
    store.write(_fill).result()
    return store


def _always(_n: int) -> bool:
    return True


def _never(_n: int) -> bool:
    return False


def _found(store: Store, what: LogFilter, limit: int = 1_000) -> list[int]:
    """The numbers of all lines found, over all pages."""
    numbers: list[int] = []
    older_than: int | None = None
    while True:
        with store.read() as connection:
            page = search_logs(connection, what, limit=limit, older_than=older_than)
        assert len(page.lines) <= limit
        numbers += [line.payload["n"] for line in page.lines]
        if page.older_than is None:
            return numbers
        older_than = page.older_than


def test_an_appended_line_is_read_back_as_it_was_written(store: Store) -> None:
    moment = datetime(2026, 1, 2, 3, 4, 5, 678_901, tzinfo=UTC)
    number = store.write(
        lambda c: append_log(
            c, event_type="peer_lost", text="Kano ✗", integration_id=A, payload={"why": "timeout"}, created_at=moment
        )
    ).result()
    with store.read() as connection:
        page = search_logs(connection, LogFilter())
        assert topic_versions(connection)["logs"] == 1
    assert page.lines == (LogLine(number, A, "peer_lost", {"why": "timeout"}, moment, "Kano ✗"),)
    assert page.older_than is None


def test_a_line_of_the_console_itself_is_found_apart_from_the_others(store: Store) -> None:
    store.write(lambda c: append_log(c, event_type="started", text="started", payload={"n": 1})).result()
    store.write(lambda c: append_log(c, event_type="x", text="other", payload={"n": 2}, integration_id=A)).result()
    assert _found(store, LogFilter(integration_id="")) == [1]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (LogFilter(), _always),
        (LogFilter(text="silent"), lambda n: n % 7 == 0),
        (LogFilter(text="SILENT"), lambda n: n % 7 == 0),
        (LogFilter(text="kano: 12"), lambda n: n % 7 != 0 and str(n).startswith("12")),
        (LogFilter(text="00000000014 "), lambda n: n == 14),
        (LogFilter(text="4 "), lambda n: n % 10 == 4),
        (LogFilter(text="50% new"), lambda n: n % 7 != 0),
        (LogFilter(text="50_ new"), _never),
        (LogFilter(text="no such thing"), _never),
        (LogFilter(words=["NEW", "kano"]), lambda n: n % 7 != 0),
        (LogFilter(words=["silent", "4 "]), lambda n: n % 7 == 0 and n % 10 == 4),
        (LogFilter(text="silent", words=["no such"]), _never),
        (LogFilter(text='"; DROP'), _never),
        (LogFilter(text="Kano", integration_id=B), lambda n: n % 7 != 0 and n % 3 == 0),
        (LogFilter(integration_id=A, event_types=["sync_error"]), lambda n: n % 3 != 0 and n % 10 == 0),
        (LogFilter(event_types=["sync_error", "sync"], text="silent"), lambda n: n % 7 == 0),
        (LogFilter(event_types=["unheard"]), _never),
        (LogFilter(since=START + timedelta(minutes=290)), lambda n: n >= 290),
        (LogFilter(until=START + timedelta(minutes=10)), lambda n: n < 10),
        (LogFilter(since=START + timedelta(days=9)), _never),
        (LogFilter(until=START), _never),
        (
            LogFilter(text="Kano", since=START + timedelta(minutes=50), until=START + timedelta(minutes=60)),
            lambda n: n % 7 != 0 and 50 <= n < 60,
        ),
    ],
)
def test_a_filter_finds_exactly_the_lines_it_describes_newest_first(
    filled: Store, what: LogFilter, expected: Callable[[int], bool]
) -> None:
    wanted = [n for n in range(300, 0, -1) if expected(n)]
    assert _found(filled, what) == wanted
    assert _found(filled, what, limit=7) == wanted


def test_one_line_is_found_by_its_id(filled: Store) -> None:
    with filled.read() as connection:
        line = search_logs(connection, LogFilter(text="silent")).lines[3]
        assert search_logs(connection, LogFilter(id=line.id)).lines == (line,)


def test_only_what_was_written_since_a_known_line_is_asked_for(filled: Store) -> None:
    with filled.read() as connection:
        silent = search_logs(connection, LogFilter(text="silent")).lines
        newer = search_logs(connection, LogFilter(words=["silent"]), newer_than=silent[5].id)
        assert newer.lines == silent[:5]
        assert newer.older_than is None
        assert search_logs(connection, LogFilter(), newer_than=silent[0].id + 1_000).lines == ()


def test_a_short_text_is_looked_for_page_by_page(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "SCAN", 100)
    store.write(_fill).result()
    store.write(lambda c: append_log(c, event_type="x", text="zq", payload={"n": 301})).result()
    assert _found(store, LogFilter(text="zq")) == [301]
    assert _found(store, LogFilter(text="12")) == [
        n for n in range(300, 0, -1) if "12" in f"8634{n:011}" or "12" in str(n)
    ]


def test_lines_written_under_a_wrong_clock_are_found_by_their_time(filled: Store) -> None:
    wrong = datetime(2001, 1, 1, tzinfo=UTC)
    for n in (401, 402):
        filled.write(
            lambda c, n=n: append_log(c, event_type="x", text="wrong clock", payload={"n": n}, created_at=wrong)  # type: ignore[misc]
        ).result()
    assert _found(filled, LogFilter(until=datetime(2002, 1, 1, tzinfo=UTC))) == [402, 401]
    assert _found(filled, LogFilter(text="wrong", until=START + timedelta(minutes=5))) == [402, 401]
    assert 401 not in _found(filled, LogFilter(since=START))


def test_the_index_forgets_deleted_and_learns_changed_lines(filled: Store) -> None:
    with filled.read() as connection:
        silent = search_logs(connection, LogFilter(text="silent")).lines
    filled.write(lambda c: c.execute(delete(IntegrationLog).where(IntegrationLog.id == silent[-1].id))).result()
    changed = update(IntegrationLog).where(IntegrationLog.id == silent[-2].id).values(text="it speaks again")
    filled.write(lambda c: c.execute(changed)).result()
    assert len(_found(filled, LogFilter(text="silent"))) == len(silent) - 2
    assert _found(filled, LogFilter(text="speaks")) == [silent[-2].payload["n"]]


def test_a_zero_byte_is_dropped_from_a_text(store: Store) -> None:
    store.write(lambda c: append_log(c, event_type="x", text="a\x00bc", payload={"n": 1})).result()
    assert _found(store, LogFilter(text="ab\x00c")) == [1]


def test_the_index_finds_every_text_that_is_there(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "NEWEST", 1)
    chance = random.Random(3)
    alphabet = "abAB01 %_\"'\\(-*éß✗"
    texts = ["".join(chance.choices(alphabet, k=chance.randrange(30))) for _ in range(400)]
    rows = [{"event_type": "x", "payload": {"n": n}, "created_at": START, "text": text} for n, text in enumerate(texts)]
    store.write(lambda c: c.execute(insert(IntegrationLog), rows)).result()
    for _ in range(60):
        source = chance.choice(texts)
        start = chance.randrange(len(source) + 1)
        needle = source[start : start + chance.randrange(3, 8)]
        wanted = [n for n in range(399, -1, -1) if needle.translate(_ASCII_FOLD) in texts[n].translate(_ASCII_FOLD)]
        assert _found(store, LogFilter(text=needle)) == wanted, needle
