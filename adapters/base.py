"""The contract between the console and an integration.

An adapter package gives a manifest, a settings class and an :class:`Adapter` with ``check`` and at least one of
``fetch`` (pull) and ``listen`` (push). The host owns time, retries, storage, threads and windows; the adapter knows
one protocol. Optional parts (decoders, simulator) are named in the manifest as ``module:object`` text and loaded by
the host alone, so that a package imports without the libraries that only those parts need.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, Protocol, TypeVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.fields import FieldInfo

from adapters.records import Batch, Record
from adapters.vocabulary import JsonScalar

if TYPE_CHECKING:
    import httpx  # who lends a client has loaded it; a card needs none

Category = Literal["supply_chain", "fleet_management", "telemetry", "government", "execution"]
Mode = Literal["pull", "listen", "send"]
SettingKind = Literal[
    "text", "url", "secret", "number", "choice", "switch", "file", "serial_port", "host", "port", "fingerprint"
]


class Layer(StrEnum):
    """The layers that a check walks, in this order; it stops at the first that fails."""

    NAME = "name"
    ROUTE = "route"
    TLS = "tls"
    SIGN_IN = "sign_in"
    PERMISSION = "permission"
    VERSION = "version"
    CLOCK = "clock"


class Settings(BaseModel):
    """Base of every settings model. Frozen; unknown names are refused; fields are made by :func:`setting`."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


def setting(
    label: str,
    kind: SettingKind,
    *,
    default: Any = ...,
    help: str = "",  # noqa: A002 - the word users of this function expect
    example: str = "",
    unit: str = "",
    choices: Mapping[str, str] | None = None,
    shown_when: Mapping[str, Sequence[str]] | None = None,
    tab: Literal["connection", "sync"] = "connection",
    **constraints: Any,
) -> Any:
    """A field of a settings model and its form row in one description.

    ``choices`` maps values to labels. ``shown_when`` maps the name of another field to the values for which this row
    is shown. ``constraints`` are pydantic's (``ge``, ``le``, ``min_length``, ``pattern``). Secrets are typed
    ``SecretStr``; they live in the key store and never in ``integrations.config``.
    """
    extra: dict[str, Any] = {"kind": kind, "unit": unit, "example": example, "tab": tab}
    if choices is not None:
        extra["choices"] = dict(choices)
    if shown_when is not None:
        extra["shown_when"] = {name: list(values) for name, values in shown_when.items()}
    field: FieldInfo = Field(default, title=label, description=help, json_schema_extra=extra, **constraints)
    return field


@dataclass(frozen=True, slots=True)
class SettingSpec:
    """One row of a settings form, read from the model by :func:`settings_form`."""

    name: str
    label: str
    kind: SettingKind
    required: bool
    default: Any
    help: str
    example: str
    unit: str
    choices: Mapping[str, str]
    shown_when: Mapping[str, Sequence[str]]
    tab: str
    minimum: float | None
    maximum: float | None

    @property
    def is_secret(self) -> bool:
        return self.kind == "secret"


def settings_form(model: type[Settings]) -> tuple[SettingSpec, ...]:
    """The rows of a model's form, in declaration order."""
    return tuple(_spec(name, field) for name, field in model.model_fields.items())


def secret_names(model: type[Settings]) -> frozenset[str]:
    """Names of the fields whose values live in the key store."""
    return frozenset(spec.name for spec in settings_form(model) if spec.is_secret)


def _spec(name: str, field: FieldInfo) -> SettingSpec:
    extra = field.json_schema_extra
    if not isinstance(extra, dict) or "kind" not in extra:
        raise TypeError(f"settings field {name} was not made by setting()")
    facts: dict[str, Any] = dict(extra)
    bounds = {type(item).__name__: item for item in field.metadata}
    ge, le = bounds.get("Ge"), bounds.get("Le")
    return SettingSpec(
        name=name,
        label=field.title or name,
        kind=facts["kind"],
        required=field.is_required(),
        default=None if field.is_required() else field.get_default(call_default_factory=True),
        help=field.description or "",
        example=facts["example"],
        unit=facts["unit"],
        choices=facts.get("choices", {}),
        shown_when=facts.get("shown_when", {}),
        tab=facts["tab"],
        minimum=ge.ge if ge is not None else None,
        maximum=le.le if le is not None else None,
    )


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of records with a cursor of its own, e.g. ``positions`` of Traccar."""

    name: str
    label: str


Both = Literal["ask", "ours", "theirs"]

SHIPMENT_FIELD = "shipment"
"""The one value of an outbox item that tells a peer what was shipped: a :class:`adapters.reporting.Shipped` as text."""

ChangedRecord = Literal[
    "requisition", "requisition_line", "shipment", "shipment_line",
    "driver_link", "invitation", "onboarding_request", "driver_device", "driver_session",
    "delivery_batch", "dispatch_run", "notice",
]  # fmt: skip
"""What a change can be made in, by the names of :mod:`adapters.supply` and :mod:`adapters.dispatch`. A notice is a
message that changes nothing there."""


@dataclass(frozen=True, slots=True)
class Write:
    """One change that may be sent to the peer.

    ``record`` is what it changes. ``fields`` are the names in :mod:`adapters.supply` or :mod:`adapters.dispatch` that
    it may set together. ``stages`` are those in which the
    peer allows it, empty for all; ``sides`` the sides of the paper, empty for both (a request is sent, a response is
    supplied). ``values`` are the values that a field may take, where the peer allows only some.
    ``effect`` is a sentence about what it does there beyond the change (books stock, cannot be undone), "" for
    nothing; one with an effect is confirmed by the operator. ``switch`` names the setting that must be on. ``both``
    is what happens where both sides changed a field, until the operator chooses otherwise for the integration.
    ``makes_new``: it makes a record that is not there yet, so that an :class:`Outgoing` of it names no peer id and
    shows nothing that was seen; what was made comes back in the receipt.

    A step of a paper sets ``stage``, in the words of :mod:`adapters.supply`; the adapter knows the peer's.
    """

    name: str
    label: str
    record: ChangedRecord
    fields: tuple[str, ...]
    stages: tuple[str, ...] = ()
    values: Mapping[str, tuple[str, ...]] = dataclass_field(default_factory=dict)
    effect: str = ""
    switch: str = ""
    both: Both = "ask"
    sides: tuple[str, ...] = ()
    makes_new: bool = False


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One change of one record for the peer, as it waited in the outbox.

    ``write`` is the :class:`Write`'s name. ``peer_id`` is the record's, ``parent_peer_id`` that of a line's
    requisition or shipment. ``values`` are the fields to set, ``seen`` what the operator saw in them: a field that
    is neither there now is a :class:`adapters.errors.Conflict`. ``key`` is this change's own UUID, the same at
    every try. ``is_doubtful``: an earlier try ended without an answer, so that it may have been applied.
    """

    write: str
    record: str
    peer_id: str
    parent_peer_id: str
    values: Mapping[str, JsonScalar]
    seen: Mapping[str, JsonScalar]
    key: str
    tries: int = 0
    is_doubtful: bool = False


@dataclass(frozen=True, slots=True)
class Receipt:
    """The peer has accepted a change. ``answer`` is a sentence in its words; ``records`` what was read back after it.

    ``was_applied_before``: an earlier try had been applied, this one only found it.
    """

    answer: str
    records: Sequence[Record] = ()
    was_applied_before: bool = False


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the host must know about an integration before it runs.

    ``icon`` is the name of a Lucide icon that the console ships, else a plug is shown. ``stale_after_s`` is the age
    of the newest data at which a running integration is no longer healthy; 0 where data may rest. Optional parts
    are ``module:object`` texts.
    """

    key: str
    name: str
    description: str
    category: Category
    icon: str
    capabilities: tuple[str, ...]
    settings: type[Settings]
    modes: frozenset[Mode]
    is_new: bool = False
    streams: tuple[Stream, ...] = ()
    writes: tuple[Write, ...] = ()
    stale_after_s: int = 600
    max_in_flight: int = 1
    requests_per_minute: int = 120
    decoders: str | None = None
    simulator: str | None = None
    explainer: str | None = None
    bench: str | None = None
    translator: str | None = None
    rules: str | None = None
    comparison: str | None = None
    reporter: str | None = None
    actions: str | None = None


LONGEST_UNIQUE_ID = 300
"""What every store keeps of an :class:`Identity`."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who answered a check. ``unique_id`` is stable, so that nobody adds one server twice.

    One longer than :data:`LONGEST_UNIQUE_ID` (an address may be) keeps its beginning and gets a digest of the whole.
    ``remark`` are sentences on what does not work at this peer though it is connected.
    """

    unique_id: str
    title: str
    version: str | None = None
    remark: str = ""

    def __post_init__(self) -> None:
        if len(self.unique_id) > LONGEST_UNIQUE_ID:
            digest = sha256(self.unique_id.encode("utf-8", "replace")).hexdigest()
            shortened = f"{self.unique_id[: LONGEST_UNIQUE_ID - len(digest) - 1]}#{digest}"
            object.__setattr__(self, "unique_id", shortened)


@dataclass(frozen=True, slots=True)
class CheckStep:
    """One layer proved, or the first that failed, in a sentence."""

    layer: Layer
    ok: bool
    detail: str


class Clock(Protocol):
    """Time as the host lends it; tests lend another."""

    def now_ms(self) -> int:
        """Milliseconds since 1970-01-01 UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Kit:
    """What the host lends to an adapter.

    ``http`` carries the integration's request budget, TLS pinning and proxies; ``tls`` is the same verification for
    streams that are not HTTP requests (WebSocket).
    """

    integration_id: str
    http: httpx.AsyncClient
    tls: ssl.SSLContext
    log: logging.Logger
    clock: Clock


class Inlet(Protocol):
    """Where a listening adapter puts what arrives."""

    def deliver(self, batch: Batch) -> asyncio.Future[None]:
        """Hand a batch to the store; the future is done after the commit, or fails with the reason it was not.

        Batches delivered close together share one commit and may share one future: never cancel it, and only add
        callbacks or await it shielded. A peer that waits for an acknowledgement gets it when the future succeeds.
        """
        ...

    @property
    def is_full(self) -> bool:
        """True while the store cannot keep up: stop reading from peers and await :meth:`wait_for_room`."""
        ...

    async def wait_for_room(self) -> None: ...

    def connected(self, detail: str) -> None:
        """The peer works again (signed in, or listening); resets the growing delays."""
        ...

    def request_fetch(self, why: str) -> None:
        """Bring the next ``fetch`` forward, e.g. after a reconnect left a gap."""
        ...

    def count(self, counter: str, amount: int = 1) -> None:
        """Count what is not a record: skipped bytes, bad checksums, refused connections."""
        ...


S = TypeVar("S", bound=Settings)


class Adapter(ABC, Generic[S]):
    """One connection to one peer. Made anew for each start; never stores, never retries, never sleeps between polls."""

    manifest: ClassVar[Manifest]

    def __init__(self, settings: S, kit: Kit) -> None:
        self.settings = settings
        self.kit = kit

    @abstractmethod
    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Prove address and credentials, reporting each layer that holds to ``step``.

        Raises the error of the first layer that does not hold.
        """

    def fetch(self, cursors: Mapping[str, str]) -> AsyncIterator[Batch]:
        """Pull what is new since ``cursors`` (stream name to value; missing at the first run).

        The host stores each batch, with its cursors, before it asks for the next.
        """
        raise NotImplementedError(f"{self.manifest.key} does not pull")

    async def listen(self, inlet: Inlet) -> None:
        """Receive until cancelled. Raises NotReady, AuthFailed … when it cannot go on."""
        raise NotImplementedError(f"{self.manifest.key} does not listen")

    async def send(self, outgoing: Outgoing) -> Receipt:
        """Make one change at the peer: read the record, compare with what was seen, write, read back.

        Raises Conflict(key, ours, theirs) with the fields and values of both sides where a field to be set was
        changed there meanwhile; RecordRejected for a refusal that trying again will not change; NotReady, BadReply
        or AuthFailed otherwise. NotReady with ``is_doubtful`` where the request may have been applied (the answer
        was lost).
        """
        raise NotImplementedError(f"{self.manifest.key} takes no changes")

    async def lend(self, resource: str, seconds: float) -> bool:
        """Give up a resource that somebody at this computer needs now (a serial port), for so many seconds.

        Called again to renew, and with 0 to take it back; without either it is taken back when the time is over.
        Returns within 2 s whether this adapter uses the resource, and leaves it free then. Adapters that hold nothing
        of the kind need not care.
        """
        del resource, seconds
        return False


class Decoder(Protocol):
    """Explains bytes of one protocol: the command ``decode`` and the raw inspector use it."""

    def __call__(self, data: bytes, context: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        """Objects shaped like the vectors' ``expect``; refused bytes give ``{"error": …}``."""
        ...


Decoders = Mapping[str, Decoder]


@dataclass(frozen=True, slots=True)
class FieldView:
    """One field of a frame: which bytes (``offset``, ``length``, ``hex``) and what they say."""

    offset: int
    length: int
    hex: str
    name: str
    value: str
    unit: str = ""


class Explainer(Protocol):
    """Shows a frame field by field: the raw inspector uses it."""

    def __call__(self, protocol: str, data: bytes) -> Sequence[FieldView]:
        """Rows in byte order that together cover all of ``data``; never raises for any bytes."""
        ...


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a pushed message said: records, and the names of integrations whose next run it brings forward."""

    records: Sequence[Record]
    fetch: tuple[str, ...] = ()


class Translator(Protocol):
    """Understands pushed messages of an integration, by its settings."""

    def __call__(self, settings: Settings) -> Callable[[bytes], Meaning]:
        """What turns a body into its meaning; that raises RecordRejected for a message that it cannot understand.

        Raises SettingsInvalid where the settings do not say how.
        """
        ...


class Simulator(Protocol):
    """An honest small peer on loopback, for the demo and the tests.

    Runs until cancelled. ``options`` come from the caller (ports, sizes, seeds); ``ready`` is called once with what an
    integration needs to reach the peer (settings by name, secrets among them).
    """

    def __call__(
        self, options: Mapping[str, Any], ready: Callable[[Mapping[str, Any]], None]
    ) -> Coroutine[Any, Any, None]: ...


@dataclass(frozen=True, slots=True)
class Difference:
    """Where a peer's interface differs from what the adapter sends: in which operation, what, and what follows."""

    operation: str
    what: str
    consequence: str


class Comparison(Protocol):
    """Compares everything that an adapter sends with what a live peer says it offers."""

    def __call__(self, adapter: Adapter[Any]) -> Coroutine[Any, Any, Sequence[Difference]]:
        """Nothing where they agree. Raises what :meth:`Adapter.check` raises."""


@dataclass(frozen=True, slots=True)
class Action:
    """An operator's act that needs an answer now and whose result must not be stored, like making a one-time code.

    Everything else that changes a peer is a :class:`Write` and waits in the outbox. Both models describe their fields.
    ``run`` raises what :meth:`Adapter.send` raises, NotReady without the line. ``is_secret``: the result is shown once
    and goes into no log, act or export.
    """

    name: str
    label: str
    parameters: type[BaseModel]
    result: type[BaseModel]
    run: Callable[[Adapter[Any], Any], Coroutine[Any, Any, BaseModel]]
    is_secret: bool = False


Actions = Mapping[str, Action]
"""What the manifest's ``actions`` names: actions by their names."""
