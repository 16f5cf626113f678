"""Every fault has its own plain sentence with a next step; the rest keeps working; what can pass, passes by itself.

One site with one integration for each fault, all at once: real servers that fail as real ones do, a real engine.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import socket
import sqlite3
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from adapters.traccar.simulator import TraccarServer, running
from adapters.traccar.simulator_faults import FaultKind
from app.engine.phases import Phase
from app.integrations import SettingsRefused, add, check_saved, check_settings, list_integrations
from app.security.keyring_vault import KeyringVault
from tests.helpers.certificates import Certificate, make_certificate
from tests.helpers.fake_adapter import until
from tests.helpers.site import WELL, Site, small_world

ROOT = Path(__file__).parents[2]
NEXT_STEP = re.compile(
    r"\b(Check|Ask|Enter|Look at|Raise the|Choose|Correct|Close|Free|Stop|Set the|Unlock|Use|Leave|Press|Give|"
    r"tried again|If this lasts)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Fault:
    """How a server fails, what the operator reads, and whether the integration comes back without anybody's doing."""

    words: str
    phase: Phase = Phase.RETRYING
    returns: bool = True


ANSWERS: dict[FaultKind, Fault] = {
    "html": Fault("answered with a web page instead of data"),
    "html_502": Fault("answered with a web page (502)"),
    "half_json": Fault("breaks off or is not JSON"),
    "cut": Fault("broke off its answer"),
    "stall": Fault("stopped answering"),
    "stall_body": Fault("stopped answering"),
    "empty": Fault("empty answer"),
    "text": Fault("is not JSON"),
    "301": Fault("sends us to another address"),
    "401": Fault("refused the sign-in", Phase.NEEDS_SIGN_IN, returns=False),
    "403": Fault("forbids this account", Phase.NEEDS_SIGN_IN, returns=False),
    "404": Fault("does not know the page"),
    "429": Fault("asked too often"),
    "500": Fault("fault of its own (500)"),
    "502": Fault("the server behind it does not"),
    "503": Fault("not available at the moment"),
}


@asynccontextmanager
async def servers(names: list[str]) -> AsyncIterator[dict[str, TraccarServer]]:
    async with AsyncExitStack() as stack:
        yield {name: await stack.enter_async_context(running(small_world())) for name in names}


def is_a_good_sentence(why: str, place: str, secrets: list[str]) -> bool:
    """Names the peer or the place, ends as a sentence, says what to do next, and holds no secret."""
    return (
        place in why
        and why.endswith(".")
        and NEXT_STEP.search(why) is not None
        and not any(secret in why for secret in secrets)
        and not any(word in why for word in ("Traceback", "Errno", "Exception(", "httpx", "defect of this program"))
    )


async def test_what_servers_answer_wrongly(tmp_path: Path) -> None:
    site = Site(tmp_path)
    async with servers([*ANSWERS, "refused", "well"]) as peers:
        ids = {name: site.add_traccar(name, server) for name, server in peers.items()}
        _, port = site.add_trackers()
        secrets = [server.token for server in peers.values()]
        async with site.serving():
            await site.is_well(*ids.values())
            for kind in ANSWERS:
                peers[kind].faults.kind, peers[kind].faults.retry_after = kind, "1"
            await peers["refused"].stop()
            answers = dict(zip(ids, await asyncio.gather(*map(site.sync, ids.values())), strict=True))
            told = {name: answer.get("error", "") for name, answer in answers.items()}
            expected: dict[str, Fault] = {**dict(ANSWERS.items()), "refused": Fault("nothing listens there")}
            assert [name for name, fault in expected.items() if fault.words not in told[name]] == []
            bad = {
                name: told[name]
                for name in expected
                if not is_a_good_sentence(told[name], f"127.0.0.1:{peers[name].port}", secrets)
            }
            assert bad == {}
            await until(lambda: all(site.phase(ids[name]) is fault.phase for name, fault in expected.items()))
            assert answers["well"]["ok"]
            assert site.phase(ids["well"]) in WELL
            assert await site.serves_trackers(port)

            for server in peers.values():
                server.faults.clear()
            await peers["refused"].start()
            await site.is_well(*(ids[name] for name, fault in expected.items() if fault.returns))
            asleep = [ids[name] for name, fault in expected.items() if not fault.returns]
            assert {site.phase(one) for one in asleep} == {Phase.NEEDS_SIGN_IN}
            assert all([(await site.sync(one))["ok"] for one in asleep])


UNREACHABLE = {
    "http://nowhere.invalid:8082": "is not known",
    "http://127.0.0.1:1": "nothing listens there",
    "http://[2001:db8::1]:8082": "no way to",
    "http://six.invalid": "is not known",
}


@pytest.mark.parametrize(("url", "words"), UNREACHABLE.items())
async def test_peers_that_cannot_be_reached(url: str, words: str, tmp_path: Path) -> None:
    """At the check, and while running: the same words; trackers are served meanwhile."""
    site = Site(tmp_path)
    report = await check_settings(site.catalogue, "traccar", {"url": url}, {"token": "planted-token"}, site.clock)
    if "does not answer" in report.why:  # a network that swallows what it cannot deliver
        words = "does not answer"
    assert words in report.why
    place = url.removeprefix("http://").removesuffix(":8082").strip("[]")
    assert is_a_good_sentence(report.why, place, ["planted-token"])
    integration_id = add(site.desk, "traccar", "Server", {"url": url}, {"token": "planted-token"})
    _, port = site.add_trackers()
    async with site.serving():
        await until(lambda: site.phase(integration_id) is Phase.RETRYING, 30)
        state = site.state(integration_id)
        assert state is not None
        assert words in state.reason
        assert state.next_try_ms is not None
        assert await site.serves_trackers(port)


async def test_a_peer_that_shows_another_certificate(tmp_path: Path) -> None:
    """Nothing is sent to it; the check proposes what it shows; the right one is trusted again by itself."""
    right, wrong = make_certificate("right"), make_certificate("wrong")
    server = TraccarServer(small_world(), certificate=_files(right, tmp_path / "right.pem"))
    await server.start()
    site = Site(tmp_path / "site")
    try:
        integration_id = site.add_traccar("Server", server, fingerprint=right.fingerprint)
        async with site.serving():
            await site.is_well(integration_id)
            await server.stop()
            server._certificate = _files(wrong, tmp_path / "wrong.pem")
            await server.start()
            before = server.account.sign_ins
            error = (await site.sync(integration_id))["error"]
            assert "is not the pinned one" in error
            assert is_a_good_sentence(error, f"127.0.0.1:{server.port}", [server.token])
            report = await check_saved(site.desk, integration_id, site.clock)
            proposal = getattr(report.error, "proposal", "")
            assert proposal.replace(":", "").lower() == wrong.fingerprint
            assert [step.layer.value for step in report.layers if not step.ok] == ["tls"]
            assert server.account.sign_ins == before, "credentials went to a stranger"
            await server.stop()
            server._certificate = _files(right, tmp_path / "right.pem")
            await server.start()
            await site.is_well(integration_id)
    finally:
        await server.stop()


def _files(certificate: Certificate, path: Path) -> tuple[str, str]:
    key = certificate.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path.write_bytes(key + certificate.certificate.public_bytes(Encoding.PEM))
    return str(path), str(path)


@pytest.mark.parametrize("years", [-20, -3, 3, 20])
async def test_a_clock_that_is_years_wrong(years: int, tmp_path: Path) -> None:
    """Said at the check and at the start; everything is there when the clock is right again."""
    async with running(small_world()) as server:
        server.clock_ahead_ms = years * 365 * 86_400_000
        site = Site(tmp_path)
        integration_id = site.add_traccar("Server", server)
        report = await check_saved(site.desk, integration_id, site.clock)
        assert f"clocks of this computer and of the Traccar server differ by {abs(years) * 365} days" in report.why
        assert NEXT_STEP.search(report.why)
        assert report.layers[-1].layer.value == "clock"
        async with site.serving():
            await until(lambda: site.phase(integration_id) is Phase.RETRYING)
            server.clock_ahead_ms = 0
            await site.is_well(integration_id)
            assert (await site.sync(integration_id))["ok"]


async def test_a_port_that_another_program_holds(tmp_path: Path) -> None:
    site = Site(tmp_path)
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        integration_id, _ = site.add_trackers(port)
        _, free = site.add_trackers()
        async with site.serving():
            await until(lambda: site.phase(integration_id) is Phase.RETRYING)
            state = site.state(integration_id)
            assert state is not None
            assert "already in use by another program" in state.reason
            assert is_a_good_sentence(state.reason, f"port {port}", [])
            assert await site.serves_trackers(free)
            other.close()
            await site.is_well(integration_id)
            assert await site.serves_trackers(port)


class KeyStore(KeyringBackend):
    """The system's key store as its library wants it."""

    priority = 5
    name = "Desk key store"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.fault: Callable[[], Exception] | None = None

    def get_password(self, service: str, username: str) -> str | None:
        if self.fault is not None:
            raise self.fault()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.kept[service, username] = password


@pytest.mark.parametrize(
    ("fault", "words"),
    [(lambda: KeyringLocked("locked"), "is locked"), (lambda: RuntimeError("no reply"), "does not answer")],
    ids=["locked", "gone"],
)
async def test_a_key_store_that_gives_nothing(fault: Callable[[], Exception], words: str, tmp_path: Path) -> None:
    store = KeyStore()
    site = Site(tmp_path, KeyringVault(store))
    async with running(small_world()) as server:
        integration_id = site.add_traccar("Server", server)
        _, port = site.add_trackers()
        store.fault = fault
        async with site.serving():
            await until(lambda: site.phase(integration_id) is Phase.RETRYING)
            state = site.state(integration_id)
            assert state is not None
            assert words in state.reason
            assert is_a_good_sentence(state.reason, "Desk key store", [server.token])
            assert await site.serves_trackers(port)
            store.fault = None
            await site.is_well(integration_id)


async def test_a_store_that_another_program_keeps_locked(tmp_path: Path) -> None:
    """What arrives is not acknowledged; the tracker is heard again when the store is free."""
    site = Site(tmp_path)
    integration_id, port = site.add_trackers()
    async with site.serving() as engine:
        assert await site.serves_trackers(port)
        with contextlib.closing(sqlite3.connect(tmp_path / "store.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert not await site.serves_trackers(port)
            await until(lambda: engine.states[integration_id].phase is Phase.RETRYING, 20)
            reason = engine.states[integration_id].reason
            assert "Another program keeps the store" in reason
            assert is_a_good_sentence(reason, str(tmp_path), [])
            other.execute("ROLLBACK")
        await site.is_well(integration_id)
        assert await site.serves_trackers(port)


AS_NOBODY = """
import os, socket, sys
from pathlib import Path
from adapters.errors import SettingsInvalid
from adapters.binding import try_binding
from app.paths import FolderRefused, Paths
from app.store.errors import StoreReadOnly
from app.store.locks import EngineLock

if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
try:
    try_binding(socket.AF_INET, "127.0.0.1", int(sys.argv[1]), udp=False)
except SettingsInvalid as err:
    print(f"{err.field}|{err.why}")
folder = Path(sys.argv[2])
try:
    Paths(folder).create()
except FolderRefused as err:
    print(err.why)
try:
    EngineLock(f"sqlite:///{folder / 'store.db'}", folder / "engine.lock").acquire()
except StoreReadOnly as err:
    print(err.why)
"""


def _first_open_port() -> int:
    with contextlib.suppress(OSError, ValueError):
        return int(Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text())
    return 1024


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_what_the_system_forbids_this_user(tmp_path: Path) -> None:
    """A low port, and a folder of somebody else."""
    if _first_open_port() < 81:
        pytest.skip("every user may open low ports here")
    theirs = tmp_path if os.getuid() == 0 else Path("/proc")  # the child gives root's rights away
    folder = theirs / "data"
    command = [sys.executable, "-c", AS_NOBODY, "80", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True)
    port, made, locked = done.stdout.splitlines()
    assert port.startswith("port|This user may not listen on TCP port 80 on 127.0.0.1. Choose a port above 1023")
    assert is_a_good_sentence(made, str(folder), [])
    assert is_a_good_sentence(locked, str(folder), [])


WRONG: list[tuple[str, dict[str, object], str]] = [
    ("traccar", {"url": ""}, "url"),
    ("traccar", {"url": "gps.example.org"}, "url"),
    ("traccar", {"url": "https://me:planted@gps.example.org"}, "url"),
    ("traccar", {"url": "https://x", "fingerprint": "12:34"}, "fingerprint"),
    ("traccar", {"url": "https://x", "poll_interval_s": 1}, "poll_interval_s"),
    ("traccar", {"url": "https://x", "auth": "magic"}, "auth"),
    ("traccar", {"url": "https://x", "auth": "session"}, "username"),
    ("traccar", {"url": "https://x", "nonsense": 1}, "nonsense"),
    ("gt02_tracker", {"port": 70_000}, "port"),
    ("gt02_tracker", {"host": "192.0.2.77"}, "host"),
]


@pytest.mark.parametrize(("key", "values", "field"), WRONG)
async def test_wrong_settings_name_their_field_and_nothing_is_saved(
    key: str, values: dict[str, object], field: str, tmp_path: Path
) -> None:
    site = Site(tmp_path)
    try:
        secrets = {"token": "planted"} if key == "traccar" else {}
        report = await check_settings(site.catalogue, key, values, secrets, site.clock)
        assert field in {fault.field for fault in report.faults} | {getattr(report.error, "field", None)}, report.why
        assert "planted" not in report.why
        if report.faults:  # the rest is known only when it was tried: an address that this computer does not have
            with pytest.raises(SettingsRefused) as refused:
                add(site.desk, key, "Wrong", values, secrets)
            assert field in {fault.field for fault in refused.value.faults}
            with site.store.read() as connection:
                assert list_integrations(connection) == []
    finally:
        site.store.close()
