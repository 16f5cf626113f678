"""What is to happen where both sides changed a field: the write's own rule, or the one chosen for its stream."""

from __future__ import annotations

from sqlalchemy import Connection, insert, select, update

from adapters.base import Both
from app.catalogue import Catalogue
from app.security.audit import record_act
from app.store.changes import raise_topic
from app.store.tables import StreamState
from app.sync.errors import ActRefused, ChangeRefused
from app.sync.outbox import peer_of
from app.sync.records import KINDS

RULE_WORDS: dict[str, str] = {
    "": "as the adapter says",
    "ask": "ask me",
    "ours": "keep ours",
    "theirs": "keep theirs",
}


def rule_for(connection: Connection, catalogue: Catalogue, integration_id: str, write: str, record: str) -> Both:
    """The rule for a write of this kind of record; a write that the adapter does not know any more asks."""
    stream = KINDS[record].topic
    query = (
        select(StreamState.both)
        .where(StreamState.integration_id == integration_id, StreamState.both != "")
        .where((StreamState.stream == stream) | StreamState.stream.startswith(f"{stream}:", autoescape=True))
        .order_by(StreamState.stream)
    )
    chosen = connection.execute(query.limit(1)).scalar_one_or_none()
    if chosen == "ours":
        return "ours"
    if chosen == "theirs":
        return "theirs"
    if chosen == "ask":
        return "ask"
    try:
        manifest, _row = peer_of(connection, catalogue, integration_id)
    except ChangeRefused:
        return "ask"
    return next((one.both for one in manifest.writes if one.name == write), "ask")


def choose_rule(connection: Connection, integration_id: str, stream: str, both: str, *, who: str | None = None) -> None:
    """The operator's rule for a stream (``requisitions``, ``shipments``); "" goes back to the writes' own.

    Raises ActRefused for a word that is none.
    """
    if both not in RULE_WORDS:
        raise ActRefused(f"There is no rule “{both}”. There are: ask, ours, theirs.")
    version = raise_topic(connection, "streams")
    mine = (StreamState.integration_id == integration_id) & (StreamState.stream == stream)
    before = connection.execute(select(StreamState.both).where(mine)).scalar_one_or_none()
    values = {"both": both, "changed_version": version}
    if before is None:
        connection.execute(insert(StreamState).values(integration_id=integration_id, stream=stream, **values))
    else:
        connection.execute(update(StreamState).where(mine).values(**values))
    record_act(
        connection, what="stream.rule", subject=stream, before={"both": before or ""}, after={"both": both}, who=who
    )
