"""A secret that is planted at the start is found nowhere at the end: the whole program, every way to sign in."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import psutil  # type: ignore[import-untyped]
import pytest

from adapters.traccar.simulator import TraccarServer, running
from adapters.traccar.simulator_world import World
from app.paths import Paths
from tests.helpers.depot import wait_for
from tests.helpers.planting import found_in

ROOT = Path(__file__).parents[2]
WAYS = ("token", "session", "basic")
PASSWORD = "planted/Pass word+{way}&7"
WRONG = "planted-wrong-Zx81-{way}"


@dataclass
class Planted:
    """The servers, and everything that must never be seen."""

    servers: dict[str, TraccarServer] = field(default_factory=dict)

    def secrets(self) -> set[str]:
        found = {WRONG.format(way=way) for way in WAYS}
        for server in self.servers.values():
            account = server.account
            pair = base64.b64encode(f"{account.email}:{account.password}".encode()).decode()
            found |= {server.token, account.password, pair, quote(account.password), *account.sessions}
        return found


@asynccontextmanager
async def planted_servers() -> AsyncIterator[Planted]:
    planted = Planted()
    async with AsyncExitStack() as stack:
        for way in WAYS:
            now_ms = time.time_ns() // 1_000_000
            world = World(vehicles=2, interval_s=10, start_ms=now_ms - 300_000)
            world.advance(now_ms)
            server = await stack.enter_async_context(running(world))
            server.account.password = PASSWORD.format(way=way)
            planted.servers[way] = server
        yield planted


class Program:
    """``main.py`` on one data folder with everything logged; keeps all that it printed and how it was started."""

    def __init__(self, folder: Path) -> None:
        self.paths = Paths(folder / "data")
        self.output = ""
        self.lines: set[str] = set()
        self.environment = {
            **os.environ,
            "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring",
            "QT_QPA_PLATFORM": "offscreen",
        }
        self.line = [sys.executable, str(ROOT / "main.py"), "--data-dir", str(self.paths.data_dir), "--debug"]

    def run(self, *arguments: str, status: int = 0, **environment: str) -> str:
        done = subprocess.run(
            [*self.line, *arguments],
            env={**self.environment, **environment},
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        self.output += done.stdout + done.stderr
        assert done.returncode == status, done.stderr
        return done.stdout

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        pipe = subprocess.PIPE
        return subprocess.Popen(
            [*self.line, *arguments], env=self.environment, stdin=pipe, stdout=pipe, stderr=pipe, text=True
        )

    def note_processes(self, process: subprocess.Popen[str]) -> bool:
        """What other programs see of the process and its children; True when it has ended."""
        try:
            root = psutil.Process(process.pid)
            for each in (root, *root.children(recursive=True)):
                self.lines |= {" ".join(each.cmdline()), json.dumps(each.environ())}
        except psutil.Error:
            pass  # it ended while it was looked at
        return process.poll() is not None

    def finish(self, process: subprocess.Popen[str], line: str = "") -> None:
        out, err = process.communicate(line, timeout=100)
        self.output += out + err
        assert process.returncode == 0, err


def use_everything(program: Program, planted: Planted) -> None:
    program.run("store", "upgrade")
    made = {}
    for way, server in planted.servers.items():
        secret = "token" if way == "token" else "password"
        value = server.token if way == "token" else server.account.password
        give = ["--set", f"url={server.url}", "--set", f"auth={way}", "--set", f"username={server.account.email}"]
        give = ["integrations", "add", "traccar", "--json", *give, "--name", f"By {way}"]
        added = program.run(*give, "--secret", f"{secret}=env:GOOD", GOOD=value)
        made[way] = json.loads(added)["id"]
        wrong = {"WRONG": WRONG.format(way=way)}
        program.run("integrations", "set", made[way], "--secret", f"{secret}=env:WRONG", status=1, **wrong)
    program.run("integrations", "check", made["session"], "--json")
    gateway = program.start("gateway")
    assert gateway.stdout is not None
    assert gateway.stdout.readline().strip() == "ready"
    program.note_processes(gateway)
    program.run("integrations", "sync", made["token"])
    for server in planted.servers.values():
        server.account.sessions.clear()  # as after a restart of the server: sessions are renewed
        server.faults.kind, server.faults.path = "half_json", "/devices"
    program.run("integrations", "sync", made["basic"], status=1)
    for server in planted.servers.values():
        server.faults.clear()
    program.finish(gateway, "stop\n")


def look_at_everything(program: Program) -> None:
    """A window with its own gateway, and every way in which something leaves the house."""
    window = program.start("--screenshot", str(program.paths.data_dir / "window.png"), "--page", "integrations")
    wait_for(lambda: program.note_processes(window), 100)
    program.finish(window)
    program.run("integrations", "logs", "--json")
    program.run("export", "acts", "--output", str(program.paths.data_dir / "acts.csv"), "--format", "csv")
    program.run("backup", "create", str(program.paths.data_dir / "copy.backup"))


async def test_nothing_that_anybody_can_read_holds_a_secret(tmp_path: Path) -> None:
    program = Program(tmp_path)
    async with planted_servers() as planted:
        await asyncio.to_thread(use_everything, program, planted)
        await asyncio.to_thread(look_at_everything, program)
        secrets = planted.secrets()
    assert len(secrets) > 12
    assert len(program.lines) >= 4, "the window's gateway was not seen"
    assert any("gateway" in line and "--started-by console" in line for line in program.lines)
    logged = (program.paths.logs / "gateway.log").read_text(encoding="utf-8")
    assert "/api/devices" in logged, "the libraries did not log what they do"
    seen = "\n".join([program.output, *sorted(program.lines)])
    assert [secret for secret in secrets if secret in seen] == []
    assert found_in(program.paths.data_dir, secrets) == []
    assert program.paths.vault_file.exists()
    if sys.platform != "win32":
        assert readable_by_others(program.paths.data_dir) == []


def readable_by_others(folder: Path) -> list[str]:
    every = (folder, *folder.rglob("*"))
    return [f"{path} {stat.filemode(path.stat().st_mode)}" for path in every if path.stat().st_mode & 0o077]


@pytest.mark.parametrize("way", WAYS)
async def test_the_library_of_live_updates_says_nothing_of_its_address(
    way: str, caplog: pytest.LogCaptureFixture
) -> None:
    """The token is in the address of the socket, and the library logs every request line."""
    from tests.adapters.traccar.support import Memory, TestInlet, adapter_for, listening

    caplog.set_level("DEBUG")
    async with planted_servers() as planted:
        server = planted.servers[way]
        async with adapter_for(server, auth=way) as adapter:
            inlet = TestInlet(Memory())
            async with listening(adapter, inlet):
                await inlet.until(lambda: inlet.greetings)
        secrets = planted.secrets()
    assert "HTTP" in caplog.text
    said = [line for line in caplog.text.splitlines() if any(secret in line for secret in secrets)]
    assert all("JSESSIONID=" in line for line in said), "only what the log's redaction knows by its name"
