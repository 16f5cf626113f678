from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
from logging.handlers import RotatingFileHandler
from pathlib import Path

import pytest

from app.logs import LineFormatter, Logs, log_event, one_line
from app.paths import Paths
from app.security.redaction import register_secret

log = logging.getLogger("tests.logs")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    return Paths(tmp_path)


@pytest.fixture
def logs(paths: Paths) -> Iterator[Logs]:
    level = logging.getLogger().level
    opened = Logs.open(paths, "console")
    yield opened
    opened.close()
    logging.getLogger().setLevel(level)
    logging.raiseExceptions = True


def written(paths: Paths, name: str = "console.log") -> str:
    return (paths.logs / name).read_text(encoding="utf-8")


def test_lines_reach_the_file_and_the_memory(paths: Paths, logs: Logs) -> None:
    log.info("the depot opens at %d", 7)
    assert "INFO     tests.logs: the depot opens at 7" in written(paths)
    assert logs.recent(1)[0].endswith("tests.logs: the depot opens at 7")


def test_secrets_are_blanked_in_message_arguments_and_traceback(paths: Paths, logs: Logs) -> None:
    register_secret("planted-log-secret")
    try:
        raise RuntimeError("sign-in with planted-log-secret")
    except RuntimeError:
        log.exception("url was https://ada:%s@gps.example.org", "planted-log-secret")
    assert "planted-log-secret" not in written(paths) + "".join(logs.recent())
    assert "RuntimeError" in written(paths)


def test_text_from_outside_cannot_begin_a_line(paths: Paths, logs: Logs) -> None:
    log.warning("peer said %s", "hello\n2026-01-01T00:00:00.000Z ERROR    root: forged\x1b[2J\u2028x")
    lines = written(paths).splitlines()
    assert len(lines) == 1
    assert "\\n2026" in lines[0]
    assert "\x1b" not in lines[0]


def test_events_are_json_lines_and_blanked(paths: Paths, logs: Logs) -> None:
    log_event("peer.lost", peer="gps.example.org", token="planted-event-secret", tries=3)
    facts = json.loads(written(paths, "events-console.jsonl"))
    assert facts.pop("at").endswith("Z")
    assert facts == {"event": "peer.lost", "peer": "gps.example.org", "token": "•••", "tries": 3}
    assert "peer.lost" not in written(paths)


def test_a_wrong_placeholder_costs_its_values_not_the_line() -> None:
    record = logging.LogRecord("tests.logs", logging.WARNING, __file__, 1, "%d trackers", ("many",), None)
    assert LineFormatter().format(record).endswith("tests.logs: %d trackers ('many',)")


def test_everyday_lines_of_libraries_are_quiet(paths: Paths, logs: Logs) -> None:
    logging.getLogger("httpx").info("HTTP Request: GET https://gps.example.org/api")
    logging.getLogger("httpx").warning("something is wrong")
    assert "HTTP Request" not in written(paths)
    assert "something is wrong" in written(paths)


def test_files_are_for_their_owner_alone(paths: Paths, logs: Logs) -> None:
    if os.name == "posix":
        assert all(path.stat().st_mode & 0o077 == 0 for path in paths.logs.iterdir())


def test_a_folder_that_cannot_be_written_leaves_the_lines_in_memory(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("a file where the folder should be")
    opened = Logs.open(Paths(tmp_path), "gateway")
    try:
        log.warning("still here")
        assert "cannot be written" in opened.recent()[0]
        assert opened.recent()[-1].endswith("still here")
    finally:
        opened.close()


def test_a_full_disk_costs_the_line_in_the_file_and_shows_nothing_bare(
    logs: Logs, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (handler,) = [found for found in logging.getLogger().handlers if isinstance(found, RotatingFileHandler)]
    with monkeypatch.context() as patch:
        patch.setattr(handler, "stream", FullDisk())
        log.warning("sign-in with %s", "planted-full-disk")
    assert capsys.readouterr().err == ""
    assert logs.recent()[-1].endswith("sign-in with planted-full-disk")


class FullDisk(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_crash_below_python_is_read_at_the_next_start(paths: Paths) -> None:
    program = (
        "import ctypes, sys; from pathlib import Path; from app.logs import Logs; from app.paths import Paths;"
        "Logs.open(Paths(Path(sys.argv[1])), 'gateway'); ctypes.string_at(0)"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(paths.data_dir)], check=False, timeout=60)
    assert ended.returncode != 0
    opened = Logs.open(paths, "gateway")
    try:
        assert "Segmentation fault" in opened.last_fault or "access violation" in opened.last_fault
    finally:
        opened.close()
    again = Logs.open(paths, "gateway")
    again.close()
    assert again.last_fault == ""


def test_one_line_keeps_letters_of_all_scripts() -> None:
    assert one_line("Ọ̀yọ́ 10 µs\ttab") == "Ọ̀yọ́ 10 µs\ttab"
