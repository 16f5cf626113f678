"""Which stop of a batch a shipment is for: its receiver by the identity map, else by its paper, else the only stop."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import Connection, select

from app.identity.kinds import in_chunks
from app.store.tables import BatchPaperRow, BatchStopRow
from app.supply.filters import Place

NOWHERE: frozenset[str] = frozenset()


def target_facilities(
    receivers: frozenset[tuple[str, str]],
    integration_id: str,
    stops: Sequence[str],
    papers: Mapping[str, frozenset[str]],
    numbers: Iterable[str],
) -> frozenset[str]:
    """Facilities of the batch's platform. ``receivers`` are the receiver as every system knows it.

    ``stops`` are the batch's facilities, ``papers`` facilities by the number of a paper in it, ``numbers`` those of
    the shipment and of what it answers.
    """
    found = frozenset(one for one in stops if (integration_id, one) in receivers)
    if found:
        return found
    named = frozenset(one for number in numbers if number for one in papers.get(number, NOWHERE) if one)
    return named or (frozenset(stops) if len(set(stops)) == 1 else NOWHERE)


def stops_and_papers(
    connection: Connection, batches: Iterable[Place]
) -> tuple[dict[Place, list[str]], dict[Place, dict[str, frozenset[str]]]]:
    """Facilities of the stops, and facilities by number of the papers, of many batches."""
    stops: dict[Place, list[str]] = {}
    papers: dict[Place, dict[str, frozenset[str]]] = {}
    by_integration: dict[str, set[str]] = {}
    for place in batches:
        by_integration.setdefault(place.integration_id, set()).add(place.peer_id)
    stop, paper = BatchStopRow, BatchPaperRow
    for integration_id, ids in by_integration.items():
        for some in in_chunks(sorted(ids)):
            query = select(stop.batch, stop.facility).where(
                stop.integration_id == integration_id, stop.batch.in_(some), stop.gone_at.is_(None)
            )
            for batch, facility in connection.execute(query).all():
                stops.setdefault(Place(integration_id, batch), []).append(facility)
            told = select(paper.batch, paper.number, paper.facility).where(
                paper.integration_id == integration_id, paper.batch.in_(some), paper.gone_at.is_(None)
            )
            for batch, number, facility in connection.execute(told).all():
                own = papers.setdefault(Place(integration_id, batch), {})
                own[number] = own.get(number, NOWHERE) | {facility}
    return stops, papers
