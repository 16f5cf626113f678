"""The contract between the console and an integration that takes reports: what is sent, shown and answered.

A reporter is named in the manifest (``reporter``, ``module:object``). :meth:`Reporter.plan` tells without any network
what would be sent, to the byte; :meth:`Reporter.run` sends exactly that. The host decides when, keeps runs and
messages, leaves out rows that did not change since they were accepted today, and repeats a run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Literal, Protocol
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from adapters.base import Kit, Settings
    from adapters.supply import Requisition

BLANK = "•••"
"""Stands in an :class:`ExactRequest` where the secret goes when it is sent."""

Step = Literal["batches", "stock_counts"]

_SHIPMENTS = UUID("6f0b7c1e-52d0-4b5e-9d6c-0a8d1f6c2e43")  # a name space of its own, made for this


@dataclass(frozen=True, slots=True)
class StockRow:
    """One stock line as it is reported. ``key`` is the caller's own name for it and comes back with its refusal.

    ``packs`` counts packs of ``pack_size`` units; ``counted_ms`` is milliseconds since 1970 UTC, ``expires_on`` an
    ISO day. Codes are the peer's.
    """

    key: str
    store_code: str
    item_code: str
    packs: float
    pack_size: float
    counted_ms: int
    batch: str = ""
    expires_on: str | None = None
    program: str = ""
    funder: str = ""
    manufacturer: str = ""
    gtin: str = ""


@dataclass(frozen=True, slots=True)
class ShippedLine:
    """One item and batch of what was shipped, in packs of ``pack_size`` units."""

    item_code: str
    packs: float
    pack_size: float = 1.0
    batch: str = ""
    expires_on: str | None = None


@dataclass(frozen=True, slots=True)
class Shipped:
    """What went out for one order of the peer; ``number`` is our shipment's, unique per order."""

    order_id: str
    number: str
    dispatched_ms: int
    delivered_ms: int | None = None
    lines: tuple[ShippedLine, ...] = ()

    @property
    def key(self) -> str:
        """The change's own UUID: the same for the same order and number, so that an outbox holds it once."""
        return str(uuid5(_SHIPMENTS, f"{self.order_id}\n{self.number}"))

    def as_text(self) -> str:
        """As an outbox item carries it (:data:`SHIPMENT_FIELD`); the same shipment gives the same text."""
        return json.dumps(asdict(self), ensure_ascii=False, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_text(cls, text: str) -> Shipped:
        """Read what :meth:`as_text` wrote. Raises ValueError."""
        try:
            said = json.loads(text)
            lines = tuple(ShippedLine(**line) for line in said.pop("lines"))
            return cls(**said, lines=lines)
        except (TypeError, KeyError, AttributeError, RecursionError) as err:
            raise ValueError("This is no shipment.") from err


@dataclass(frozen=True, slots=True)
class SentRecord:
    """One record of a request: the rows that it reports, and how the peer may name it in an answer."""

    rows: tuple[str, ...]
    item_code: str
    batch: str = ""


@dataclass(frozen=True, slots=True)
class ExactRequest:
    """One request as it goes out, all headers and every byte of the body; only the secret is :data:`BLANK`."""

    step: str
    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""
    store: str = ""
    records: tuple[SentRecord, ...] = ()

    @property
    def body_text(self) -> str:
        return self.body.decode("utf-8", "replace")

    @property
    def digest(self) -> str:
        """SHA-256 of method, address and body: the same digest, the same request."""
        return sha256(f"{self.method} {self.url}\n".encode() + self.body).hexdigest()

    def signed(self, secret: str) -> ExactRequest:
        """The same request with the secret in its place. Never show or log it."""
        headers = tuple((name, value.replace(BLANK, secret)) for name, value in self.headers)
        return replace(self, headers=headers)


@dataclass(frozen=True, slots=True)
class HeldBack:
    """A row that is not sent, with the reason and what to do, in a sentence."""

    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What would be sent, in order. ``approval_code`` names this way of sending: an operator enters it to approve it.

    It changes when the address or anything in the profile changes, so that what was looked at is what is sent.
    """

    requests: tuple[ExactRequest, ...]
    held_back: tuple[HeldBack, ...]
    approval_code: str
    is_approved: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: requests done of all, and what goes on in a sentence."""

    store: str
    step: str
    done: int
    total: int
    detail: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """The peer refused this row; ``why`` is its word for it, plain text from outside."""

    key: str
    why: str


@dataclass(frozen=True, slots=True)
class Message:
    """One request of a run and what became of it. ``status`` is None where no answer came."""

    step: str
    store: str
    digest: str
    records: int
    sent_ms: int
    took_ms: int
    status: int | None
    answer: str


Outcome = Literal["accepted", "refused", "failed", "doubtful", "not_sent"]
"""refused: the peer will not have it as it is. failed: nothing was taken, may be sent again. doubtful: an answer was
lost or said nothing, so that some may have been taken. not_sent: the run ended before this store's turn."""


@dataclass(frozen=True, slots=True)
class StoreResult:
    """What became of one store; each row stands in one of the four.

    ``accepted`` are rows whose batches *and* counts were taken. ``unconfirmed``: their counts went out, and no answer
    tells what became of them. ``unsent``: their counts did not go out, or were not taken for another row's sake.
    """

    store: str
    outcome: Outcome
    detail: str
    accepted: tuple[str, ...] = ()
    refused: tuple[Refusal, ...] = ()
    unsent: tuple[str, ...] = ()
    messages: tuple[Message, ...] = ()
    unconfirmed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RunResult:
    """The whole run. ``retry_after_s`` is the peer's own wish; ``needs_sign_in`` where it refused the credentials."""

    stores: tuple[StoreResult, ...]
    held_back: tuple[HeldBack, ...]
    retry_after_s: float | None = None
    needs_sign_in: bool = False


@dataclass(frozen=True, slots=True)
class StockSchedule:
    """When stock is reported: every so many days at a local time of day (20:00). ``attempts``: of one run, at most."""

    every_days: int
    at: str
    attempts: int


class Reporter(Protocol):
    """What an integration offers that takes reports of stock."""

    def schedule(self, settings: Settings) -> StockSchedule:
        """What settings and profile agree on. Raises SettingsInvalid."""
        ...

    def plan(self, settings: Settings, rows: Sequence[StockRow]) -> Plan:
        """What :meth:`run` would send. No network. Raises SettingsInvalid."""
        ...

    def plan_shipment(self, settings: Settings, shipped: Shipped, key: str = "") -> ExactRequest:
        """The request that tells the peer of a shipment. ``key`` is the change's UUID. Raises SettingsInvalid."""
        ...

    async def run(
        self, settings: Settings, kit: Kit, rows: Sequence[StockRow], progress: Callable[[Progress], None]
    ) -> RunResult:
        """Send, store by store. What fails for one store stops no other, unless it fails for all of them.

        Raises NotReady with the field to change while this way of sending is not approved, and SettingsInvalid;
        everything else is in the result.
        """
        ...

    async def fetch_order(self, settings: Settings, kit: Kit, order_id: str) -> Requisition:
        """One order, now. Raises RecordRejected where the peer does not know it, and what any call raises."""
        ...

    def profile_text(self, settings: Settings) -> str:
        """The profile in force as its file, every key in it: what an operator begins with. Raises SettingsInvalid."""
        ...

    def check_profile(self, text: str) -> str:
        """A profile file's text made complete. Raises SettingsInvalid with each wrong key by name."""
        ...

    def describe_profile(self, settings: Settings) -> Sequence[tuple[str, str]]:
        """The profile in force, key by key, as text. Raises SettingsInvalid."""
        ...

    def compare_profiles(self, old: str, new: str) -> Sequence[str]:
        """What differs between two profile files' texts, a sentence each. Raises SettingsInvalid."""
        ...


def json_text(value: Any) -> str:
    """JSON as it is sent: UTF-8, no spaces. Raises ValueError for what JSON cannot hold."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
