from __future__ import annotations

from typing import Any

from sqlalchemy import select

from app.engine.commands import finish_command, give_command, outcome_of
from app.engine.journal import DayCounts, State, add_to_day, load_states, save_state, write_log
from app.engine.phases import Phase
from app.problems import Issue, clear_problems, raise_problem
from app.security.redaction import register_secret
from app.store.changes import topic_versions
from app.store.tables import Integration, IntegrationDay, IntegrationLog, Problem
from tests.helpers.engine_rig import Rig

NOW_MS = 1_750_000_000_000


def write(rig: Rig, job: Any) -> None:
    rig.store.write(job).result(5)


async def test_a_state_comes_back_as_it_was_saved(rig: Rig) -> None:
    integration_id = rig.add()
    state = State(Phase.RETRYING, NOW_MS, "No answer.", "NotReady", NOW_MS + 5000, NOW_MS - 1, NOW_MS - 2, 3, {"a": 1})
    write(rig, lambda connection: save_state(connection, integration_id, state))
    assert rig.state(integration_id) == state


async def test_the_status_word_moves_its_own_topic_only_when_it_changes(rig: Rig) -> None:
    integration_id = rig.add()

    def versions() -> tuple[int, int]:
        with rig.store.read() as connection:
            known = topic_versions(connection)
        return known["integrations"], known.get("integration_states", 0)

    first = versions()
    write(rig, lambda connection: save_state(connection, integration_id, State(Phase.STARTING, NOW_MS)))
    assert versions() == (first[0], first[1] + 1)
    healthy = State(Phase.HEALTHY, NOW_MS, last_success_ms=NOW_MS)
    write(rig, lambda connection: save_state(connection, integration_id, healthy))
    assert versions() == (first[0] + 1, first[1] + 2)
    with rig.store.read() as connection:
        row = connection.execute(select(Integration.status, Integration.changed_version)).one()
    assert tuple(row) == ("active", first[0] + 1)


async def test_days_add_up_and_counters_are_merged(rig: Rig) -> None:
    for counts in (
        DayCounts(runs=1, records=5, delay_ms=10, counters={"skipped_bytes": 1}),
        DayCounts(runs=1, runs_failed=1, duration_ms=7),
        DayCounts(records=2, counters={"skipped_bytes": 2, "refused": 1}),
    ):
        write(rig, lambda connection, counts=counts: add_to_day(connection, "x", NOW_MS, counts))
    write(rig, lambda connection: add_to_day(connection, "x", NOW_MS + 86_400_000, DayCounts(runs=1)))
    with rig.store.read() as connection:
        rows = connection.execute(select(IntegrationDay.__table__).order_by(IntegrationDay.day)).all()
    assert [(row.day, row.runs, row.runs_failed, row.records, row.duration_ms, row.delay_ms) for row in rows] == [
        ("2025-06-15", 2, 1, 7, 7, 10),
        ("2025-06-16", 1, 0, 0, 0, 0),
    ]
    assert rows[0].counters == {"skipped_bytes": 3, "refused": 1}


async def test_a_problem_stands_once_keeps_its_since_and_renews_its_text(rig: Rig) -> None:
    first = Issue("sign_in", "Sign in", "Refused at 8.", "sign_in")
    again = Issue("sign_in", "Sign in", "Refused at 9.", "sign_in")
    write(rig, lambda connection: raise_problem(connection, "i1", first, NOW_MS))
    write(rig, lambda connection: raise_problem(connection, "i1", again, NOW_MS + 1000))
    with rig.store.read() as connection:
        (row,) = connection.execute(select(Problem.__table__)).all()
    assert (row.problem_key, row.detail, row.cleared_at) == ("sign_in:i1", "Refused at 9.", None)
    assert row.since.timestamp() * 1000 == NOW_MS
    write(rig, lambda connection: clear_problems(connection, "i1", frozenset({"sign_in", "defect"}), NOW_MS + 2000))
    assert rig.open_problems() == []
    write(rig, lambda connection: raise_problem(connection, "i1", first, NOW_MS + 3000))
    assert len(rig.open_problems()) == 1


async def test_secrets_are_blanked_whatever_is_written(rig: Rig) -> None:
    register_secret("planted-secret-0815")
    integration_id = rig.add()
    why = "The server said: token planted-secret-0815 is wrong"
    state = State(Phase.RETRYING, NOW_MS, why, detail={"connected": why})
    write(rig, lambda connection: save_state(connection, integration_id, state))
    write(rig, lambda c: write_log(c, integration_id, "note", why, payload={"sample": why}, now_ms=NOW_MS))
    write(rig, lambda c: raise_problem(c, integration_id, Issue("defect", why, why, "none"), NOW_MS))
    with rig.store.read() as connection:
        everything = repr(load_states(connection))
        everything += repr(connection.execute(select(IntegrationLog.__table__)).all())
        everything += repr(connection.execute(select(Problem.__table__)).all())
    assert "planted-secret-0815" not in everything
    assert "The server said" in everything


async def test_what_a_peer_answered_in_binary_is_kept_readable(rig: Rig) -> None:
    write(
        rig, lambda c: write_log(c, None, "note", "a\x00b", payload={"sample": "c\x00d", "n": {"x": 1}}, now_ms=NOW_MS)
    )
    (line,) = rig.logs()
    assert (line.text, line.payload) == ("a�b", {"sample": "c�d", "n": {"x": 1}})


async def test_what_no_database_takes_is_left_out_however_deep_it_stands(rig: Rig) -> None:
    integration_id = rig.add()
    hostile = {"version": "6\x00\ud800", "layers": [{"detail": "a\x00b", "figure": float("inf")}]}
    harmless = {"version": "6\ufffd?", "layers": [{"detail": "a\ufffdb", "figure": "inf"}]}
    state = State(Phase.HEALTHY, NOW_MS, reason="r\x00", detail=hostile)
    write(rig, lambda connection: save_state(connection, integration_id, state))
    assert rig.state(integration_id).detail == harmless
    write(rig, lambda c: write_log(c, integration_id, "sync", "t\x00", payload={"a": hostile}, now_ms=NOW_MS))
    assert rig.logs("sync")[0].payload == {"a": harmless}
    command_id = rig.store.write(lambda c: give_command(c, "sync", now_ms=NOW_MS)).result(5)
    write(rig, lambda connection: finish_command(connection, command_id, hostile, NOW_MS))
    with rig.store.read() as connection:
        assert outcome_of(connection, command_id) == harmless
