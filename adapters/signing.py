"""Signatures of webhooks in the Standard Webhooks form (specification 1.0.0, “Signature scheme”).

The signed text is ``<id>.<timestamp>.<raw body>``, the signature HMAC-SHA256 in base64 behind ``v1,``; a header may
hold several, separated by spaces, so that a key can be changed without a gap. The timestamp is in Unix seconds.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

PREFIX = "whsec_"
LEAST_KEY_BYTES = 24
TOLERANCE_S = 300
LONGEST_ID = 200
_MOST_SIGNATURES = 10

ID, TIMESTAMP, SIGNATURE = "webhook-id", "webhook-timestamp", "webhook-signature"


class SignatureRefused(Exception):
    """A message that nobody who knows the key has signed just now; ``reason`` is a word for the counters."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Signed:
    """What a verified message is known by."""

    message_id: str
    sent_at_s: int


def key_bytes(secret: str) -> bytes:
    """The key behind a secret: base64 after ``whsec_``, else the text itself. Raises ValueError with what is wrong."""
    if secret.startswith(PREFIX):
        try:
            key = base64.b64decode(secret[len(PREFIX) :], validate=True)
        except binascii.Error as err:
            raise ValueError("the part after whsec_ is not base64") from err
    else:
        key = secret.encode()
    if len(key) < LEAST_KEY_BYTES:
        raise ValueError(f"the key has {len(key)} bytes; at least {LEAST_KEY_BYTES} are needed")
    return key


def sign(key: bytes, message_id: str, sent_at_s: int, body: bytes) -> str:
    """One signature, as it stands in the header."""
    digest = hmac.new(key, f"{message_id}.{sent_at_s}.".encode() + body, sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def signed_headers(keys: Sequence[bytes], message_id: str, sent_at_s: int, body: bytes) -> dict[str, str]:
    """The three headers of a message, signed with every key."""
    signatures = " ".join(sign(key, message_id, sent_at_s, body) for key in keys)
    return {ID: message_id, TIMESTAMP: str(sent_at_s), SIGNATURE: signatures}


def verify(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now_s: float) -> Signed:
    """Prove that one of the keys signed this body within five minutes of now. Raises SignatureRefused."""
    message_id, stamp, given = (headers.get(name, "") for name in (ID, TIMESTAMP, SIGNATURE))
    if not (message_id and stamp and given):
        raise SignatureRefused("unsigned")
    if len(message_id) > LONGEST_ID or not message_id.isascii() or not message_id.isprintable():
        raise SignatureRefused("bad_id")
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        raise SignatureRefused("bad_time")
    sent_at_s = int(stamp)
    signatures = [part.encode() for part in given.split(" ")[:_MOST_SIGNATURES]]
    expected = [sign(key, message_id, sent_at_s, body).encode() for key in keys]
    matches = [hmac.compare_digest(one, other) for one in signatures for other in expected]
    if not any(matches):
        raise SignatureRefused("bad_signature")
    if abs(now_s - sent_at_s) > TOLERANCE_S:
        raise SignatureRefused("stale")
    return Signed(message_id, sent_at_s)
