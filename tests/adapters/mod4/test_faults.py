"""The line and the server misbehave: each fault is a sentence, a doubt where one is left, and nothing hangs."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import func, select

from adapters.errors import BadReply, NotReady, SettingsInvalid
from adapters.mod4.settings import Mod4Settings
from adapters.mod4.simulator.server import Server
from tests.adapters.mod4.support import LINK, Site, console, fetch, send
from tests.helpers.certificates import make_certificate


async def test_a_database_that_goes_away_in_the_middle_of_a_statement_is_not_ready(site: Site) -> None:
    async with console(site.settings()) as made, made.platform.open() as opened:
        work = asyncio.ensure_future(opened.session.read(lambda c: c.execute(select(func.pg_sleep(30))).all()))
        await _until_busy(site)
        site.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        )
        with pytest.raises(NotReady) as found:
            await work
    assert not found.value.is_doubtful


async def test_a_change_whose_answer_is_lost_is_doubtful(site: Site) -> None:
    async with console(site.settings()) as made, made.platform.open() as opened:
        work = asyncio.ensure_future(opened.session.write(lambda c: c.execute(select(func.pg_sleep(30))).all()))
        await _until_busy(site)
        site.run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"
        )
        with pytest.raises(NotReady) as found:
            await work
    assert found.value.is_doubtful


async def test_a_statement_that_takes_too_long_is_given_up_at_the_server_too(site: Site) -> None:
    async with console(site.settings(answer_within_s=1)) as made, made.platform.open() as opened:
        with pytest.raises(NotReady, match="within 1 s"):
            await opened.session.read(lambda c: c.execute(select(func.pg_sleep(60))).all())
        assert await opened.session.read(lambda c: c.execute(select(1)).scalar()) == 1


async def test_a_cancelled_statement_ends_at_once(site: Site) -> None:
    async with console(site.settings()) as made, made.platform.open() as opened:
        work = asyncio.ensure_future(opened.session.read(lambda c: c.execute(select(func.pg_sleep(60))).all()))
        await _until_busy(site)
        began = time.monotonic()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert time.monotonic() - began < 30  # far from the statement's own 60 s


async def _until_busy(site: Site) -> None:
    query = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND state = 'active' AND pid <> pg_backend_pid()"
    while not site.one(query):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)


async def test_a_read_cannot_write_whatever_it_calls(site: Site) -> None:
    async with console(site.settings("owner")) as made, made.platform.open() as opened:
        with pytest.raises(NotReady):
            await opened.session.read(
                lambda c: c.execute(select(func.public.end_driver_session(func.gen_random_uuid(), "x"))).all()
            )


async def test_a_row_held_by_somebody_else_is_waited_for_and_then_left(site: Site) -> None:
    with site.of.connect(site.database) as other, other.transaction():
        other.execute("SELECT 1 FROM mod4_driver_links FOR UPDATE")
        with pytest.raises(NotReady) as found:
            await send(site.settings(), "suspend_link", LINK, {"stage": "suspended"})
    assert found.value.why.endswith(".")
    await send(site.settings(), "suspend_link", LINK, {"stage": "suspended"})


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(b"", NotReady), (b"N", NotReady), (b"HTTP/1.1 400 Bad\r\n\r\n", BadReply), (b"\x00\xff" * 9, BadReply)],
)
async def test_what_is_no_database_with_encryption_is_told(answer: bytes, kind: type[Exception]) -> None:
    async with _answering(answer) as port:
        settings = Mod4Settings(host="127.0.0.1", port=port, username="u", password=SecretStr("planted"))
        async with console(settings) as made:
            with pytest.raises(kind) as found:
                await made.check(lambda _step: None)
    assert "planted" not in str(found.value)


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 400 Bad\r\n\r\n", b"\x00\xff" * 90, b"R\x00\x00\x00\x08\x00\x00\x00\x00Z\xff\xff\xff\xff"]
)
async def test_garbage_without_encryption_is_told(answer: bytes) -> None:
    async with _answering(answer) as port:
        settings = Mod4Settings(host="127.0.0.1", port=port, username="u", password=SecretStr("planted"), tls="off")
        async with console(settings) as made:
            with pytest.raises((BadReply, NotReady)):
                await made.check(lambda _step: None)


@asynccontextmanager
async def _answering(answer: bytes) -> AsyncIterator[int]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.read(100)
            writer.write(answer)
            await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as peer:
        yield peer.sockets[0].getsockname()[1]


# Encryption ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str, str]]:
    """A server with a certificate that signs itself: server, database, fingerprint."""
    folder: Path = tmp_path_factory.mktemp("tls")
    certificate = make_certificate("db.test")
    certificate.server_context(folder)
    (pem,) = folder.glob("*.pem")
    for name in ("cert.pem", "key.pem"):
        (folder / name).write_bytes(pem.read_bytes())
        (folder / name).chmod(0o600)
    with Server(certificate=(str(folder / "cert.pem"), str(folder / "key.pem"))) as made:
        yield made, made.create_database("repaired"), certificate.fingerprint


async def test_a_pinned_certificate_is_trusted_and_another_is_not(encrypted: tuple[Server, str, str]) -> None:
    server, database, fingerprint = encrypted
    site = Site(database, server)
    site.run("INSERT INTO workspaces (name, slug) VALUES ('Kano Depot', 'kano')")
    settings = site.settings(tls="required", fingerprint=fingerprint, acting_user="")
    async with console(settings) as made:
        steps: list[str] = []
        await made.check(lambda step: steps.append(step.detail))
    assert any("TLSv1" in step and "pinned" in step for step in steps)
    assert site.one("SELECT count(*) FROM pg_stat_activity WHERE usename = 'biko_console'") == 0
    for wrong in ("", "AB" * 32):
        async with console(site.settings(tls="required", fingerprint=wrong, acting_user="")) as made:
            with pytest.raises(NotReady) as found:
                await made.check(lambda _step: None)
        assert found.value.field == "fingerprint"
        assert found.value.proposal.replace(":", "").lower() == fingerprint


async def test_a_server_that_is_switched_off_and_on_again(encrypted: tuple[Server, str, str]) -> None:
    server, database, fingerprint = encrypted
    settings = Site(database, server).settings(tls="required", fingerprint=fingerprint, acting_user="")
    server.halt()
    try:
        with pytest.raises(NotReady):
            await fetch(settings)
    finally:
        server.resume()
    records, _ = await fetch(settings)
    assert records


# Settings ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"host": "db.example.org", "tls": "off"}, "tls"),
        ({"password": None}, "password"),
        ({"app_url": "http://drivers.example.org"}, "app_url"),
        ({"app_url": "drivers"}, "app_url"),
        ({"functions_url": "http://x.example.org/f"}, "functions_url"),
    ],
)
def test_settings_that_cannot_be_right_name_their_field(changed: dict[str, object], field: str) -> None:
    values: dict[str, object] = {"host": "localhost", "username": "u", "password": "x", "tls": "off"}
    with pytest.raises((SettingsInvalid, ValidationError)) as found:
        Mod4Settings(**{**values, **changed})  # type: ignore[arg-type]
    assert getattr(found.value, "field", field) == field


def test_the_representation_of_settings_holds_no_secret() -> None:
    made = Mod4Settings(host="localhost", username="u", password=SecretStr("planted-secret"))
    assert "planted" not in repr(made)
    assert ssl.HAS_TLSv1_2
