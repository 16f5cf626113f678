"""The store has no room left: nothing is acknowledged, the words are true, and it passes when space returns."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import text

from app.engine.phases import Phase
from tests.helpers.depot import Depot, Gateway, connected, wait_for

# Every connection of the gateway gets the page limit that stands in a file, as a disk has its size.
LIMITED = """
import runpy, sys
from pathlib import Path
from sqlalchemy import Engine, event

limit = Path({limit!r})

@event.listens_for(Engine, "connect")
def set_limit(connection, _record):
    connection.execute(f"PRAGMA max_page_count={{limit.read_text()}}")

sys.argv[0] = "main.py"
from main import run
sys.exit(run())
"""


def test_a_full_disk_is_never_acknowledged_and_passes_by_itself(tmp_path: Path) -> None:
    with Depot(tmp_path / "data") as depot:
        trackers_id, port = depot.add_trackers()
        with depot.store.read() as connection:
            pages = connection.execute(text("PRAGMA page_count")).scalar_one()
        limit = tmp_path / "limit"
        limit.write_text(str(pages + 12))
        with Gateway(depot, before=["-c", LIMITED.format(limit=str(limit))]) as gateway:
            gateway.wait_ready()
            with connected(port) as tracker:
                answered = sent = 0
                while True:
                    sent += 1
                    tracker.send(sent)
                    if not tracker.wait_for_answer(1.5):
                        break
                    answered += 1
                    assert sent < 5000, "the disk does not fill"
                assert answered > 10
                # What was answered is stored. The fix before the last heartbeat may have found the last room.
                assert depot.serials()[:answered] == list(range(1, sent))
                state = wait_for(
                    lambda: (found := depot.state(trackers_id)) and found.phase is Phase.RETRYING and found, 30
                )
                assert "cannot be stored" in state.reason
                assert "Free some space" in state.reason
                assert gateway.process.poll() is None
                beat = depot.paths.engine_json.stat().st_mtime_ns
                wait_for(lambda: depot.paths.engine_json.stat().st_mtime_ns > beat, 10)

                limit.write_text(str(1_000_000))
                wait_for(lambda: (found := depot.state(trackers_id)) and found.phase is not Phase.RETRYING, 30)
                tracker.socket.setblocking(True)
                tracker.send(sent)
                assert tracker.wait_for_answer()
            assert sorted(depot.serials()) == list(range(1, sent + 1))
            gateway.say("stop")
            assert gateway.ended(10) == 0
