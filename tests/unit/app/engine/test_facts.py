"""A process named by a file is ended only where it is an engine of this program."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest

from app.engine.facts import EngineFacts, end_engine, read_facts
from app.platform import command_of, is_process_alive, own_group

LIVES = "import sys; print('up', flush=True); sys.stdin.read()"
posix_only = pytest.mark.skipif(sys.platform == "win32", reason="Windows tells the program's file only")


def facts_of(pid: int) -> EngineFacts:
    return EngineFacts(pid, "1", "1", "console", 1, "here")


def start(*arguments: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", LIVES, *arguments]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **own_group())
    assert child.stdout is not None
    assert child.stdout.readline().strip() == b"up"
    return child


@posix_only
def test_another_program_under_that_number_is_left_alone() -> None:
    with start("--log", "gateways.txt") as stranger:
        assert not end_engine(facts_of(stranger.pid))
        assert is_process_alive(stranger.pid)
        stranger.communicate()
    assert stranger.returncode == 0


def test_an_engine_is_asked_to_end() -> None:
    with start("--data-dir", "somewhere", "gateway", "--started-by", "console") as engine:
        assert end_engine(facts_of(engine.pid))
        engine.communicate(timeout=10)
    assert engine.returncode != 0


def test_numbers_of_nobody_name_no_engine() -> None:
    with start() as ended:
        ended.communicate()
    for pid in (ended.pid, 0, -1, 2**22 + 7):
        assert not end_engine(facts_of(pid))


@posix_only
def test_a_command_line_is_read_word_by_word() -> None:
    assert command_of(os.getpid())[-1] == Path("/proc/self/cmdline").read_text().rstrip("\0").rpartition("\0")[2]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "7", "null", '{"pid": 1}', "[" * 100_000, json.dumps({**asdict(facts_of(1)), "more": 1})]
)
def test_facts_that_cannot_be_read_are_none(text: str, tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text(text)
    assert read_facts(tmp_path / "engine.json") is None


@pytest.mark.parametrize("pid", ["1", None, 1.5, -1, True, [], 10**30])
def test_facts_of_the_wrong_kind_are_none(pid: object, tmp_path: Path) -> None:
    (tmp_path / "engine.json").write_text(json.dumps({**asdict(facts_of(1)), "pid": pid}))
    assert read_facts(tmp_path / "engine.json") is None
