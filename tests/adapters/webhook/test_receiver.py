"""What is taken, what is refused, and that nothing is answered before it is stored: over real sockets."""

from __future__ import annotations

import asyncio
import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from standardwebhooks import Webhook

from adapters.base import CheckStep, Layer
from adapters.errors import AdapterError, NotReady, SettingsInvalid
from adapters.webhook import WebhookAdapter, WebhookSettings
from tests.adapters.webhook.support import SECRET, site
from tests.helpers.certificates import make_certificate

OTHER = "another secret of a test, long enough"


async def test_a_signed_message_is_stored_before_it_is_answered() -> None:
    async with site() as here:
        here.store.commits.clear()
        sending = asyncio.create_task(here.post({"type": "stock.changed"}))
        await asyncio.sleep(0.2)
        assert not sending.done()
        here.store.commits.set()
        answer = await sending
        assert answer.status_code == 200
        (message,) = here.store.messages
        assert json.loads(message.body) == {"type": "stock.changed"}
        assert answer.json() == {"stored": message.message_id}
        assert message.sent_at_ms == here.clock.now_ms() // 1000 * 1000


async def test_a_sender_of_the_published_library_is_understood() -> None:
    async with site() as here:
        body, message_id = '{"a": 1}', str(uuid.uuid4())
        at = datetime.fromtimestamp(here.clock.now_ms() // 1000, UTC)
        signature = Webhook(SECRET).sign(message_id, at, body)
        headers = {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": f"v1,bm9uc2Vuc2U= {signature}",
        }
        assert (await here.http.post(here.url, content=body, headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "counter"),
    [
        ({"webhook-signature": "v1,AAAA"}, "bad_signature"),
        ({"webhook-signature": ""}, "unsigned"),
        ({"webhook-id": "x" * 201}, "bad_id"),
        ({"webhook-id": "another"}, "bad_signature"),
        ({"webhook-timestamp": "soon"}, "bad_time"),
        ({"webhook-timestamp": "9" * 30}, "bad_time"),
    ],
)
async def test_what_nobody_signed_is_refused_and_counted(changes: dict[str, str], counter: str) -> None:
    async with site() as here:
        assert (await here.post({"a": 1}, changes=changes)).status_code == 401
        assert (here.store.messages, here.store.counters) == ([], {f"refused_{counter}": 1})


@pytest.mark.parametrize(("late_s", "status"), [(299, 200), (301, 401), (-299, 200), (-302, 401)])
async def test_a_message_is_good_for_five_minutes_either_way(late_s: int, status: int) -> None:
    async with site() as here:
        assert (await here.post({}, late_s=late_s)).status_code == status


async def test_two_keys_are_valid_while_senders_change_over() -> None:
    async with site(secret=OTHER, previous_secret=SECRET) as here:
        assert [(await here.post({}, secret=secret)).status_code for secret in (SECRET, OTHER)] == [200, 200]
    async with site(secret=OTHER) as here:
        assert [(await here.post({}, secret=secret)).status_code for secret in (SECRET, OTHER)] == [401, 200]


@pytest.mark.parametrize(
    "body", [b"", b"nonsense", b"[" * 40 + b"]" * 40, b"\xff", b"NaN", b"1" * 50, b"1e999", b'{"a": [' * 20_000]
)
async def test_a_body_that_no_honest_sender_makes_is_refused(body: bytes) -> None:
    async with site() as here:
        answer = await here.post(body)
        assert answer.status_code == 400, answer.text
        assert here.store.messages == []


async def test_a_message_too_long_is_refused_before_it_is_read() -> None:
    async with site(most_kb=1) as here:
        assert (await here.post(b" " * 1001)).status_code == 413
        assert (await here.post(b"1".ljust(1000))).status_code == 200

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b" " * 500
                await asyncio.sleep(0.001)

        with contextlib.suppress(httpx.NetworkError):  # the line is hung up while the sender goes on
            assert (await here.http.post(here.url, content=endless())).status_code == 413
        assert here.store.counters == {"refused_too_large": 2}


async def test_other_paths_and_methods_are_no_way_in() -> None:
    async with site() as here:
        assert (await here.http.get(here.url)).status_code == 405
        assert (await here.http.post(here.url + "/x")).status_code == 404


async def test_a_sender_that_floods_is_told_to_come_later() -> None:
    async with site(per_minute=3) as here:
        answers = [await here.post({}) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert 0 < int(answers[-1].headers["retry-after"]) <= 61
        await here.clock.advance(61)
        assert (await here.post({})).status_code == 200


async def test_what_the_store_refuses_is_not_acknowledged() -> None:
    async with site() as here:
        here.store.refuses = True
        assert (await here.post({})).status_code == 503
        here.store.refuses, here.store.is_full = False, True
        assert (await here.post({})).status_code == 503
        here.store.is_full = False
        assert (await here.post({})).status_code == 200


async def test_a_line_that_is_cut_costs_nobody_else_anything() -> None:
    async with site() as here:
        place = urlsplit(here.url)
        for request in (
            b"",
            b"POST /webh",
            b"POST /webhooks HTTP/1.1\r\nHost: a\r\nContent-Length: 90\r\n\r\n{",
            b"\0" * 99,
        ):
            _reader, writer = await asyncio.open_connection(place.hostname, place.port)
            writer.write(request)
            await writer.drain()
            writer.close()
        assert (await here.post({})).status_code == 200
        assert len(here.store.messages) == 1


async def test_with_a_certificate_it_speaks_tls(tmp_path: Path) -> None:
    made = make_certificate("depot")
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.certificate.public_bytes(Encoding.PEM))
    key.write_bytes(made.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    async with site(certificate_file=str(certificate), key_file=str(key)) as here:
        assert here.url.startswith("https")
        assert (await here.post({})).status_code == 200
        with pytest.raises(NotReady, match="already in use"):
            await check(port=urlsplit(here.url).port)


async def check(**settings: object) -> list[CheckStep]:
    steps: list[CheckStep] = []
    chosen = WebhookSettings.model_validate({"secret": SECRET, **settings})
    await WebhookAdapter(chosen, None).check(steps.append)  # type: ignore[arg-type]
    return steps


async def test_a_check_proves_what_can_be_proved_without_a_sender() -> None:
    steps = await check(port=0)
    assert [step.layer for step in steps] == [Layer.NAME, Layer.ROUTE, Layer.TLS, Layer.SIGN_IN, Layer.PERMISSION]
    assert "stored, and wait" in steps[-1].detail


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"secret": "short"}, "secret"),
        ({"secret": "whsec_???"}, "secret"),
        ({"previous_secret": "short"}, "previous_secret"),
        ({"certificate_file": "/nowhere.pem"}, "key_file"),
        ({"certificate_file": "/nowhere.pem", "key_file": "/nowhere.key"}, "certificate_file"),
        ({"rules": "/nowhere.json"}, "rules"),
    ],
)
async def test_wrong_settings_name_their_field(settings: dict[str, object], field: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        await check(port=0, **settings)
    assert caught.value.field == field
    error: AdapterError = caught.value
    assert "short" not in error.why
