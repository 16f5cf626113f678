"""A message goes out signed, is known again by its id, and a refusal is told from a line that broke."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from adapters.base import CheckStep, Kit, Outgoing
from adapters.errors import AuthFailed, BadReply, NotReady, RecordRejected, SettingsInvalid
from adapters.webhook_sender import WebhookSenderAdapter, WebhookSenderSettings
from adapters.webhook_sender.simulator import WebhookReceiver, running
from app.clock import SystemClock

BODY = json.dumps({"type": "shipment.changed", "timestamp": "2026-11-25T20:00:00Z", "data": {"number": "1042 ₦"}})


@asynccontextmanager
async def sender(url: str, secret: str, **more: Any) -> AsyncIterator[WebhookSenderAdapter]:
    client = httpx.AsyncClient(trust_env=False)
    kit = Kit("w", client, ssl.create_default_context(), logging.getLogger("tests.webhook"), SystemClock())
    try:
        yield WebhookSenderAdapter(WebhookSenderSettings(url=url, secret=SecretStr(secret), **more), kit)
    finally:
        await client.aclose()


def message(key: str = "0a0b", body: str = BODY) -> Outgoing:
    return Outgoing("message", "notice", "", "", {"body": body}, {}, key)


async def test_a_message_is_signed_over_id_time_and_body() -> None:
    """Proved by hand, not by our own verifier (Standard Webhooks 1.0.0, “Signature scheme”)."""
    seen: list[httpx.Request] = []

    def take(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(204)

    raw = base64.b64encode(b"k" * 32).decode()
    client = httpx.AsyncClient(transport=httpx.MockTransport(take))
    kit = Kit("w", client, ssl.create_default_context(), logging.getLogger("tests.webhook"), SystemClock())
    settings = WebhookSenderSettings(url="http://127.0.0.1/hooks", secret=SecretStr(f"whsec_{raw}"))
    await WebhookSenderAdapter(settings, kit).send(message())
    await client.aclose()
    (request,) = seen
    signed = f"{request.headers['webhook-id']}.{request.headers['webhook-timestamp']}.".encode() + request.content
    expected = base64.b64encode(hmac.new(b"k" * 32, signed, hashlib.sha256).digest()).decode()
    assert request.headers["webhook-signature"] == f"v1,{expected}"
    assert request.headers["webhook-id"] == "0a0b"
    assert json.loads(request.content) == json.loads(BODY)


async def test_what_is_posted_arrives_and_keeps_its_id() -> None:
    async with running() as receiver, sender(receiver.url, receiver.secret) as made:
        receiver.lose = 1
        with pytest.raises(NotReady) as lost:
            await made.send(message())
        assert not lost.value.is_doubtful, "posting it again does no harm"
        receipt = await made.send(message())
    assert receipt.answer == "It took shipment.changed (204)."
    assert receiver.ids == ["0a0b", "0a0b"]
    assert receiver.came[0][1]["data"]["number"] == "1042 ₦"


async def test_while_a_secret_is_changed_both_are_good() -> None:
    old, new = "the old secret of the receiver 1", "the new secret of the receiver 2"
    async with running(old) as receiver, sender(receiver.url, new, previous_secret=old) as made:
        await made.send(message("1"))
        receiver.secret = new
        await made.send(message("2"))
    assert receiver.ids == ["1", "2"]


@pytest.mark.parametrize("status", [400, 404, 410, 422, 301])
async def test_a_refusal_for_good_is_one(status: int) -> None:
    async with running() as receiver, sender(receiver.url, receiver.secret) as made:
        receiver.status = [status]
        with pytest.raises(RecordRejected) as refused:
            await made.send(message())
        assert str(status) in refused.value.why
        await made.send(message("next"))
    assert receiver.ids == ["next"]


@pytest.mark.parametrize("status", [408, 425, 429, 500, 503])
async def test_a_refusal_of_the_moment_is_tried_again(status: int) -> None:
    async with running() as receiver, sender(receiver.url, receiver.secret) as made:
        receiver.status = [status]
        with pytest.raises(NotReady):
            await made.send(message())


async def test_a_signature_that_is_not_taken_asks_for_the_secret() -> None:
    async with running() as receiver, sender(receiver.url, "another secret of enough letters") as made:
        with pytest.raises(AuthFailed, match="signing secret"):
            await made.send(message())
    assert receiver.refused == ["bad_signature"]


async def test_nobody_there_is_not_ready() -> None:
    receiver = WebhookReceiver("a secret of a receiver that is gone")
    await receiver.start()
    await receiver.stop()
    async with sender(receiver.url, receiver.secret) as made:
        with pytest.raises(NotReady):
            await made.send(message())


async def test_a_web_page_is_no_success() -> None:
    page = httpx.MockTransport(lambda _request: httpx.Response(200, html="<html>Sign in</html>"))
    kit = Kit("w", httpx.AsyncClient(transport=page), ssl.create_default_context(), logging.getLogger(), SystemClock())
    made = WebhookSenderAdapter(WebhookSenderSettings(url="http://127.0.0.1/x", secret=SecretStr("s" * 24)), kit)
    with pytest.raises(BadReply, match="web page"):
        await made.send(message())
    await kit.http.aclose()


@pytest.mark.parametrize("body", ["", "no json", "[]", "{}", '"type"'])
async def test_what_is_no_message_is_rejected(body: str) -> None:
    async with running() as receiver, sender(receiver.url, receiver.secret) as made:
        with pytest.raises(RecordRejected):
            await made.send(message(body=body))
    assert receiver.came == []


async def test_a_check_posts_a_ping_and_says_what_is_told() -> None:
    steps: list[CheckStep] = []
    async with running() as receiver, sender(receiver.url, receiver.secret, tells_fuel=False) as made:
        found = await made.check(steps.append)
    assert [kind["type"] for _id, kind in receiver.came] == ["ping"]
    assert "fuel.event" not in steps[-1].detail
    assert "shipment.changed" in steps[-1].detail
    assert found.unique_id == f"webhook_sender:{receiver.url}"


async def test_nothing_goes_out_readable_to_others() -> None:
    async with sender("http://erp.example.org/hooks", "s" * 24) as made:
        with pytest.raises(SettingsInvalid, match="https"):
            await made.check(lambda _step: None)
