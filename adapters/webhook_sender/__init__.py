"""Messages that this console pushes to another system, signed in the Standard Webhooks form.

What is told is chosen in the settings; the messages wait in the outbox and go out from there, each with one id however
often it is tried (docs/integrations/webhook.md).
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import ClassVar

from pydantic import SecretStr

from adapters.base import (
    Adapter,
    CheckStep,
    Identity,
    Kit,
    Layer,
    Manifest,
    Outgoing,
    Receipt,
    Settings,
    Write,
    setting,
)
from adapters.errors import AuthFailed, BadReply, NotReady, RecordRejected, SettingsInvalid

ANSWER_BYTES = 64_000
LONGEST_ANSWER = 300
AGAIN = frozenset({408, 409, 421, 423, 425, 429})
"""Refusals of this moment; every other 4xx is one for good (specification, “Delivery and retries”)."""

KINDS = {
    "shipment.changed": "tells_shipments",
    "requisition.changed": "tells_requisitions",
    "alarm.changed": "tells_alarms",
    "fuel.event": "tells_fuel",
    "report.changed": "tells_reports",
    "delivery.event": "tells_deliveries",
}
"""What can be told, and the switch in the settings for it."""


class WebhookSenderSettings(Settings):
    """Where to post, with which secret, and what."""

    url: str = setting(
        "Address",
        "url",
        help="Messages are posted here. https, but for a receiver on this computer.",
        example="https://erp.example.org/hooks/depot",
        max_length=1000,
    )
    fingerprint: str = setting(
        "Pinned certificate",
        "fingerprint",
        default="",
        help="SHA-256 of the receiver's certificate, where no public authority vouches for it.",
        max_length=200,
    )
    secret: SecretStr = setting(
        "Signing secret",
        "secret",
        help="As the receiver shows it (whsec_…), or a text of at least 24 characters that both sides know.",
    )
    previous_secret: SecretStr | None = setting(
        "Previous signing secret",
        "secret",
        default=None,
        help="While the receiver changes over, messages are signed with both. Clear it when it has.",
    )
    tells_shipments: bool = setting("Shipments", "switch", default=True, help="Each change of a shipment.")
    tells_requisitions: bool = setting("Requisitions", "switch", default=False, help="Each change of a requisition.")
    tells_alarms: bool = setting("Alarms", "switch", default=True, help="Raised, acknowledged and over.")
    tells_fuel: bool = setting("Fuel events", "switch", default=True, help="Refuels and drains, also when withdrawn.")
    tells_reports: bool = setting("Reports", "switch", default=False, help="Received, sent, accepted or rejected.")
    tells_deliveries: bool = setting("Deliveries", "switch", default=True, help="What drivers tell of their stops.")
    answer_within_s: int = setting(
        "Answer within", "number", default=15, help="A longer silence is tried again.", unit="s", ge=1, le=120
    )


class WebhookSenderAdapter(Adapter[WebhookSenderSettings]):
    """Posts one message at a time per free place, and tells a refusal from a line that broke."""

    manifest: ClassVar[Manifest] = Manifest(
        key="webhook_sender",
        name="Webhook sender",
        description="Tells another system what happened here: signed messages that wait for the line and come once.",
        category="supply_chain",
        icon="arrow-left-right",
        capabilities=("Signed messages", "Key rotation", "Waits for the line", "Replay"),
        settings=WebhookSenderSettings,
        modes=frozenset({"send"}),
        is_new=True,
        writes=(Write("message", "Message", "notice", ("body",), makes_new=True, both="ours"),),
        stale_after_s=0,
        max_in_flight=4,
        requests_per_minute=1200,
        simulator="adapters.webhook_sender.simulator:simulate",
    )

    def __init__(self, settings: WebhookSenderSettings, kit: Kit) -> None:
        super().__init__(settings, kit)
        self._peer = "the receiver of webhooks"

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Walk to the receiver and post it a signed ``ping``. Raises what :meth:`send` raises."""
        from adapters.connect import is_loopback, parse_address, walk

        address = parse_address(self.settings.url)
        self._peer = f"the receiver of webhooks at {address.authority}"
        if not address.secure and not is_loopback(address.host):
            raise SettingsInvalid(
                "url", "Messages would go out readable for everybody on the way. Give an address with https://."
            )
        keys = self._keys()
        await walk(address, self.kit.tls, step, peer=self._peer, fingerprint=self.settings.fingerprint)
        body = json.dumps({"type": "ping", "data": {}}).encode()
        answer = await self._post(f"ping-{uuid.uuid4()}", body, keys)
        step(CheckStep(Layer.SIGN_IN, ok=True, detail=f"It took a signed message of the type “ping” ({answer})."))
        told = [kind for kind, switch in KINDS.items() if getattr(self.settings, switch)]
        detail = f"It is told: {', '.join(told)}." if told else "It is told nothing: switch something on."
        step(CheckStep(Layer.PERMISSION, ok=True, detail=detail))
        return Identity(unique_id=f"webhook_sender:{self.settings.url}", title=f"Webhooks to {address.authority}")

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Post one message. A receiver knows it again by its id: one whose answer was lost is simply posted again.

        Raises RecordRejected for what the receiver refuses for good, NotReady and BadReply otherwise.
        """
        body = str(outgoing.values.get("body") or "")
        try:
            kind = json.loads(body)["type"]
        except (ValueError, KeyError, TypeError) as err:
            raise RecordRejected(outgoing.key, "What waits is no message. Cancel it.") from err
        try:
            answer = await self._post(outgoing.key, body.encode(), self._keys())
        except NotReady as err:
            err.is_doubtful = False  # posting it again does no harm: that is what its id is for
            raise
        return Receipt(f"It took {kind} ({answer}).")

    async def _post(self, message_id: str, body: bytes, keys: list[bytes]) -> str:
        """The answer's status and first words. Raises RecordRejected, NotReady."""
        from adapters.exchange import exchange, status_error
        from adapters.signing import signed_headers

        settings, now_ms = self.settings, self.kit.clock.now_ms()
        headers = {"content-type": "application/json", **signed_headers(keys, message_id, now_ms // 1000, body)}
        request = self.kit.http.build_request("POST", settings.url, content=body, headers=headers)
        reply = await exchange(
            self.kit.http, request, peer=self._peer, timeout_s=float(settings.answer_within_s), max_bytes=ANSWER_BYTES
        )
        said = " ".join(reply.sample.split())[:LONGEST_ANSWER]
        if 200 <= reply.status < 300 and reply.is_html:
            raise BadReply(
                f"{self._peer[:1].upper()}{self._peer[1:]} answered with a web page, as a sign-in page or proxy does. "
                "Check the address.",
                said,
            )
        if 200 <= reply.status < 300:
            return f"{reply.status}"
        if reply.status == 410:
            raise RecordRejected(
                message_id,
                "The receiver answers 410: it wants no messages any more. Disable this integration, or give it the "
                "receiver's new address.",
            )
        if reply.status in (401, 403):
            raise AuthFailed(
                f"{self._peer[:1].upper()}{self._peer[1:]} does not take our signature ({reply.status}). Enter the "
                "signing secret that it shows; messages wait meanwhile."
            )
        if 300 <= reply.status < 500 and reply.status not in AGAIN:
            raise RecordRejected(
                message_id,
                f"The receiver refused the message ({reply.status}{': ' + said if said else ''}). Ask its owner why, "
                "then let it be sent again.",
            )
        if reply.status in AGAIN - {429}:
            raise NotReady(
                f"{self._peer[:1].upper()}{self._peer[1:]} cannot take the message now ({reply.status}). It is tried "
                "again."
            )
        raise status_error(reply.status, reply.headers, reply.sample, peer=self._peer, now_ms=now_ms)

    def _keys(self) -> list[bytes]:
        """The keys to sign with, the present one first. Raises SettingsInvalid."""
        from adapters.signing import key_bytes

        found: list[bytes] = []
        for name in ("secret", "previous_secret"):
            secret: SecretStr | None = getattr(self.settings, name)
            if secret is None or not secret.get_secret_value():
                continue
            try:
                found.append(key_bytes(secret.get_secret_value()))
            except ValueError as err:
                raise SettingsInvalid(name, f"The signing secret cannot be used: {err}. Enter it again.") from err
        return found
