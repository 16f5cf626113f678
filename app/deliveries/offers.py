"""What may be done with a record now, and the reason where nothing, or not this, may be."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from adapters.base import Manifest, Write, settings_form
from adapters.vocabulary import JsonScalar
from app.catalogue import Catalogue
from app.identity.kinds import in_chunks
from app.sync.errors import ChangeRefused
from app.sync.outbox import peer_of
from app.sync.records import KINDS, Target, shown
from app.sync.writes import writes_of


@dataclass(frozen=True, slots=True)
class Offer:
    """One act: ``name`` is the write's, ``values`` what it sets by itself, ``fields`` what it takes beside.

    ``effect`` is what it does there beyond the change, to be confirmed; ``hindrance`` a sentence that says what must
    be done first, "" where it may be done now.
    """

    name: str
    label: str
    values: Mapping[str, JsonScalar]
    fields: Sequence[str]
    effect: str
    hindrance: str = ""

    @property
    def may_be_done(self) -> bool:
        return not self.hindrance


@dataclass(frozen=True, slots=True)
class Offers:
    """``reason`` is a sentence where no act is offered, "" otherwise; ``waiting`` what waits on the record already."""

    acts: Sequence[Offer] = ()
    reason: str = ""
    waiting: Mapping[str, Any] | None = None

    def find(self, name: str) -> Offer | None:
        return next((offer for offer in self.acts if offer.name == name), None)


def offers_of(
    connection: Connection, catalogue: Catalogue, record: str, record_ids: Sequence[str]
) -> dict[str, Offers]:
    """By the ids of rows; ``record`` is a kind of :data:`app.sync.records.KINDS`. Unknown ids are left out."""
    kind = KINDS[record]
    table = kind.table.__table__
    peers: dict[str, tuple[Manifest, Any] | str] = {}
    found: dict[str, Offers] = {}
    for some in in_chunks(dict.fromkeys(record_ids)):
        for row in connection.execute(select(table).where(table.c.id.in_(some))).mappings():
            integration_id = row["integration_id"]
            if integration_id not in peers:
                peers[integration_id] = _peer(connection, catalogue, integration_id)
            values = {str(name): value for name, value in row.items()}
            found[values["id"]] = _offers(Target(kind, values, None, kind.word), peers[integration_id])
    return found


def new_offers(connection: Connection, catalogue: Catalogue, integration_id: str) -> Offers:
    """What the peer makes on request: invitations, direct links, runs."""
    peer = _peer(connection, catalogue, integration_id)
    if isinstance(peer, str):
        return Offers(reason=peer)
    manifest, integration = peer
    made = [write for write in manifest.writes if write.makes_new]
    acts = [
        Offer(write.name, write.label, {}, write.fields, write.effect, _switched_off(manifest, write, integration))
        for write in made
    ]
    return Offers(acts, "" if acts else f"{integration.name} makes nothing on request.")


def _peer(connection: Connection, catalogue: Catalogue, integration_id: str) -> tuple[Manifest, Any] | str:
    try:
        manifest, integration = peer_of(connection, catalogue, integration_id)
    except ChangeRefused as err:
        return err.why
    if "send" not in manifest.modes:
        return f"{integration.name} takes no changes from here. Make the change there; it comes with the next download."
    return manifest, integration


def _offers(target: Target, peer: tuple[Manifest, Any] | str) -> Offers:
    waiting = target.row.get("pending") or None
    if isinstance(peer, str):
        return Offers(reason=peer, waiting=waiting)
    manifest, integration = peer
    if target.row["gone_at"] is not None:
        return Offers(reason=f"It does not exist at {integration.name} any more.", waiting=waiting)
    acts = [
        Offer(
            write.name,
            write.label,
            {field: allowed[0] for field, allowed in write.values.items() if len(allowed) == 1},
            tuple(field for field in write.fields if len(write.values.get(field, ())) != 1),
            write.effect,
            _hindrance(target, write),
        )
        for write in writes_of(manifest, target, integration.config)
        if not _is_there(target, write)
    ]
    if acts:
        return Offers(acts, "", waiting)
    return Offers((), _reason(manifest, target, integration), waiting)


def _is_there(target: Target, write: Write) -> bool:
    """Whether the write would only set the stage that is shown."""
    stages = write.values.get("stage", ())
    return set(write.fields) == {"stage"} and len(stages) == 1 and shown(target.row, "stage") == stages[0]


def _reason(manifest: Manifest, target: Target, integration: Any) -> str:
    writes = [write for write in manifest.writes if write.record == target.kind.name and not write.makes_new]
    if not writes:
        return f"{integration.name} lets nobody change a {target.kind.word} from outside."
    fitting = [write for write in writes if not write.stages or target.stage in write.stages]
    if fitting:
        return _switched_off(manifest, fitting[0], integration) or "Nothing can be changed in it now."
    stage = str(target.stage).replace("_", " ")
    return f"It is “{stage}”, and {integration.name} allows no further step from there."


def _switched_off(manifest: Manifest, write: Write, integration: Any) -> str:
    if not write.switch or integration.config.get(write.switch):
        return ""
    label = next((spec.label for spec in settings_form(manifest.settings) if spec.name == write.switch), write.switch)
    return f"Changes are switched off: switch on “{label}” in the settings of {integration.name} first."


def _hindrance(target: Target, write: Write) -> str:
    """What the platform would refuse though the stage is right (biko.md 4.4)."""
    row = target.row
    if target.kind.name == "delivery_batch" and write.values.get("stage") == ("in_progress",):
        missing = [word for word, field in (("a driver", "driver"), ("a vehicle", "vehicle")) if not shown(row, field)]
        if missing:
            return (
                f"It has no {' and no '.join(word[2:] for word in missing)} yet. Assign {' and '.join(missing)} first."
            )
    if write.values.get("stage") == ("assigned",) and row.get("is_locked"):
        return "Its stops and quantities are frozen since it was started, so nobody else can be assigned."
    return ""
