"""The line and the server misbehave: each fault is a sentence, a doubt where one is left, and nothing hangs."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError
from sqlalchemy import func, select

from adapters.errors import BadReply, NotReady, SettingsInvalid
from adapters.mod4.settings import Mod4Settings
from tests.adapters.mod4.support import LINK, Site, console, fetch, on, send
from tests.helpers.certificates import make_certificate

_SLEEPERS = "FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()"


async def test_a_database_that_goes_away_in_the_middle_of_a_statement_is_not_ready(site: Site) -> None:
    async with console(site.settings()) as made, made.platform.open() as opened:
        work = asyncio.ensure_future(
            opened.session.read(lambda tables: on(tables).execute(select(func.pg_sleep(30))).all())
        )
        await _until_busy(site)
        site.run(f"SELECT pg_terminate_backend(pid) {_SLEEPERS}")
        with pytest.raises(NotReady) as found:
            await work
    assert not found.value.is_doubtful


async def test_a_change_whose_answer_is_lost_is_doubtful(site: Site) -> None:
    async with console(site.settings()) as made, made.platform.open() as opened:
        work = asyncio.ensure_future(
            opened.session.write(lambda tables: on(tables).execute(select(func.pg_sleep(30))).all())
        )
        await _until_busy(site)
        site.run(f"SELECT pg_terminate_backend(pid) {_SLEEPERS}")
        with pytest.raises(NotReady) as found:
            await work
    assert found.value.is_doubtful


async def test_a_statement_that_takes_too_long_is_given_up_at_the_server_too(site: Site) -> None:
    async with console(site.settings(answer_within_s=1)) as made, made.platform.open() as opened:
        with pytest.raises(NotReady, match="within 1 s"):
            await opened.session.read(lambda tables: on(tables).execute(select(func.pg_sleep(60))).all())
        assert await opened.session.read(lambda tables: on(tables).execute(select(1)).scalar()) == 1


async def test_a_cancelled_statement_ends_at_once(site: Site) -> None:
    async with console(site.settings()) as made, made.platform.open() as opened:
        work = asyncio.ensure_future(
            opened.session.read(lambda tables: on(tables).execute(select(func.pg_sleep(60))).all())
        )
        await _until_busy(site)
        began = time.monotonic()
        work.cancel()
        with pytest.raises(asyncio.CancelledError):
            await work
    assert time.monotonic() - began < 30  # far from the statement's own 60 s


async def _until_busy(site: Site) -> None:
    while not site.one(f"SELECT count(*) {_SLEEPERS} AND state = 'active'"):  # noqa: ASYNC110 - the server tells nobody
        await asyncio.sleep(0.01)


async def test_a_read_cannot_write_whatever_it_calls(site: Site) -> None:
    async with console(site.settings("owner")) as made, made.platform.open() as opened:
        with pytest.raises(NotReady):
            await opened.session.read(
                lambda tables: (
                    on(tables).execute(select(func.public.end_driver_session(func.gen_random_uuid(), "x"))).all()
                )
            )


async def test_a_row_held_by_somebody_else_is_waited_for_and_then_left(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("adapters.mod4.link._LOCK_MS", 100)
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


@dataclass(frozen=True)
class Front:
    """The platform behind encryption. The server of the tests has none, so that it is put before it."""

    site: Site
    port: int
    fingerprint: str

    def settings(self, fingerprint: str) -> Mod4Settings:
        return self.site.settings(port=self.port, tls="required", fingerprint=fingerprint)


@pytest.fixture
async def encrypted(site: Site, tmp_path: Path) -> AsyncIterator[Front]:
    certificate = make_certificate("db.test")
    tls = certificate.server_context(tmp_path)

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == b"\x00\x00\x00\x08\x04\xd2\x16\x2f"
        writer.write(b"S")
        try:
            await writer.start_tls(tls)
            inner_reader, inner_writer = await asyncio.open_connection(site.of.host, site.of.port)
        except OSError:
            writer.close()
            return
        async with asyncio.TaskGroup() as group:
            group.create_task(_pump(reader, inner_writer))
            group.create_task(_pump(inner_reader, writer))

    async with await asyncio.start_server(carry, "127.0.0.1", 0) as peer:
        yield Front(site, peer.sockets[0].getsockname()[1], certificate.fingerprint)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()


async def test_a_pinned_certificate_is_trusted_and_another_is_not(encrypted: Front) -> None:
    async with console(encrypted.settings(encrypted.fingerprint)) as made:
        steps: list[str] = []
        await made.check(lambda step: steps.append(step.detail))
    assert any("TLSv1" in step and "pinned" in step for step in steps)
    for wrong in ("", "AB" * 32):
        async with console(encrypted.settings(wrong)) as made:
            with pytest.raises(NotReady) as found:
                await made.check(lambda _step: None)
        assert found.value.field == "fingerprint"
        assert found.value.proposal.replace(":", "").lower() == encrypted.fingerprint


async def test_a_run_over_an_encrypted_line_reads_as_one_without(encrypted: Front) -> None:
    records, _ = await fetch(encrypted.settings(encrypted.fingerprint))
    plain, _ = await fetch(encrypted.site.settings())
    assert len(records) == len(plain) > 0


async def test_a_server_that_is_switched_off_and_on_again(site: Site) -> None:
    settings = site.settings()
    site.of.halt()
    try:
        with pytest.raises(NotReady):
            await fetch(settings)
    finally:
        site.of.resume()
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
