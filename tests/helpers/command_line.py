"""The command line as its users meet it: in this process for quick tests, as a program of its own for stories."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from app.commands.cli import WindowOptions, main
from app.commands.session import Session

ROOT = Path(__file__).parents[2]
VECTORS = ROOT.parent / "shared" / "vectors"
OpenWindow = Callable[[Session, WindowOptions], int]


@dataclass(frozen=True)
class Outcome:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value that was printed."""
        assert self.status == 0, self.err
        return json.loads(self.out)

    @property
    def json_lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def no_window(_session: Session, _options: WindowOptions) -> int:
    raise AssertionError("no command was recognised: the window was asked for")


class CommandLine:
    """``main.py`` inside this process, with one data folder."""

    def __init__(self, data_dir: Path, open_window: OpenWindow = no_window) -> None:
        self.data_dir = data_dir
        self.open_window = open_window

    def __call__(self, *words: object, stdin: bytes = b"") -> Outcome:
        streams = {name: io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for name in ("stdout", "stderr")}
        streams["stdin"] = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        arguments = ["--data-dir", str(self.data_dir), *map(str, words)]
        with _streams(streams):
            try:
                status = main(self.open_window, arguments)
            except SystemExit as end:
                status = int(end.code or 0)
        for stream in streams.values():
            stream.flush()
        out, err = (streams[name].buffer.getvalue().decode() for name in ("stdout", "stderr"))
        return Outcome(status, out, err)


@contextmanager
def _streams(streams: Mapping[str, io.TextIOWrapper]) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name, stream in streams.items():
            patch.setattr(sys, name, stream)
        yield


def run_program(
    *words: object, stdin: str | bytes = b"", timeout_s: float = 60.0, environment: Mapping[str, str] | None = None
) -> Outcome:
    """``main.py`` as a process of its own."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "main.py"), *map(str, words)],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        capture_output=True,
        timeout=timeout_s,
        check=False,
        env={**os.environ, **(environment or {})},
    )
    return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())


def assert_refused(outcome: Outcome, *words: str) -> None:
    """Exit status 1, nothing on standard output, one plain sentence on standard error that says these words."""
    assert outcome.status == 1
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    assert outcome.err.count("\n") == 1
    for word in words:
        assert word in outcome.err
