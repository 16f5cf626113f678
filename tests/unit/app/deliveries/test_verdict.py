"""Verdicts from independent evidence: properties of the judging, and the store's way to it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.alarms.fence_shapes import read_shapes
from app.alarms.geometry import make_shape
from app.alarms.own_fences import add_fences, circle
from app.clock import from_ms
from app.deliveries.proofs import proofs_of_batch
from app.deliveries.verdict import (
    CONFIRMED,
    DOUBTFUL,
    NO_EVIDENCE,
    NOWHERE,
    WINDOW_MS,
    Claim,
    Judged,
    Sightings,
    judge,
    metres_from,
)
from app.deliveries.verdicts import compute_verdicts, store_verdicts
from app.fleet.geo import distance_m
from app.store.store import Store
from app.store.tables import DeliveryBatchRow, ProofVerdict
from app.supply.filters import Place
from tests.helpers.dispatch import CLINIC, DEPOT, HOUR_MS, MINUTE_MS, Depot, a_place, an_event
from tests.helpers.fleet import T0_MS, rows_of

AT_MS = T0_MS + 2 * HOUR_MS
CLAIM = Claim(AT_MS, CLINIC, CLINIC)


def seen(*fixes: tuple[int, float, float]) -> Sightings:
    """Fixes as (minutes from the delivery, lat, lon)."""
    rows = sorted(fixes)
    return Sightings(
        np.array([AT_MS + minutes * MINUTE_MS for minutes, _, _ in rows], np.int64),
        np.array([lat for _, lat, _ in rows], np.float64),
        np.array([lon for _, _, lon in rows], np.float64),
    )


def test_a_vehicle_at_the_place_confirms() -> None:
    judged = judge(CLAIM, seen((-5, *CLINIC), (30, *DEPOT)), NOWHERE)
    assert (judged.verdict, judged.distance_m) == (CONFIRMED, 0.0)
    assert judged.rests_on_ms == AT_MS + 30 * MINUTE_MS


def test_a_tracker_that_slept_while_the_vehicle_stood_confirms() -> None:
    assert judge(CLAIM, seen((-50, *CLINIC), (70, *CLINIC)), NOWHERE).verdict == CONFIRMED


def test_a_vehicle_elsewhere_raises_a_doubt_and_rejects_nothing() -> None:
    judged = judge(CLAIM, seen((-5, *DEPOT), (5, *DEPOT)), NOWHERE)
    assert judged.verdict == DOUBTFUL
    assert "no nearer than 13.7 km" in judged.reasons[0]


def test_fixes_long_before_say_nothing() -> None:
    judged = judge(CLAIM, seen((-60, *DEPOT)), NOWHERE)
    assert judged.verdict == NO_EVIDENCE
    assert judge(CLAIM, seen((-300, *CLINIC)), NOWHERE).verdict == NO_EVIDENCE
    assert judge(CLAIM, None, NOWHERE, (), "No vehicle here has this plate.").reasons == (
        "No vehicle here has this plate.",
    )


def test_passing_at_six_hundred_metres_neither_confirms_nor_contradicts() -> None:
    assert judge(CLAIM, seen((0, CLINIC[0] + 0.0054, CLINIC[1])), NOWHERE).verdict == NO_EVIDENCE


def test_a_fence_around_the_place_counts_as_the_place() -> None:
    fence = make_shape("f", "Compound", "circle", [CLINIC], 900.0)
    assert fence is not None
    near = seen((0, CLINIC[0] + 0.0054, CLINIC[1]))
    judged = judge(CLAIM, near, NOWHERE, [fence])
    assert judged.verdict == CONFIRMED
    assert "Compound" in judged.reasons[0]


def test_the_phone_alone_never_confirms_and_may_raise_a_doubt() -> None:
    assert judge(CLAIM, None, seen((0, *CLINIC))).verdict == NO_EVIDENCE
    assert judge(CLAIM, None, seen((0, *DEPOT))).verdict == DOUBTFUL
    assert judge(CLAIM, seen((0, *CLINIC)), seen((0, *DEPOT))).verdict == CONFIRMED


def test_a_delivery_elsewhere_is_compared_with_where_it_was_told() -> None:
    proxy = Claim(AT_MS, CLINIC, DEPOT, is_proxy=True)
    assert judge(proxy, seen((0, *DEPOT)), NOWHERE).verdict == CONFIRMED
    assert judge(Claim(AT_MS, CLINIC, DEPOT), NOWHERE, NOWHERE).verdict == DOUBTFUL


def test_without_time_or_place_there_is_nothing_to_compare() -> None:
    assert judge(Claim(None, CLINIC, None), NOWHERE, NOWHERE).verdict == NO_EVIDENCE
    assert judge(Claim(AT_MS, None, None), NOWHERE, NOWHERE).verdict == NO_EVIDENCE


degrees = st.tuples(st.floats(-85, 85), st.floats(-179, 179))
offsets = st.integers(-180, 180)
fixes = st.lists(
    st.tuples(offsets, st.floats(-85, 85), st.floats(-179, 179)), max_size=12, unique_by=lambda fix: fix[0]
)
claims = st.builds(Claim, st.none() | st.just(AT_MS), st.none() | degrees, st.none() | degrees, st.booleans())


def fine(judged: Judged) -> bool:
    return (
        judged.verdict in (CONFIRMED, DOUBTFUL, NO_EVIDENCE)
        and len(judged.reasons) > 0
        and all(reason.endswith(".") for reason in judged.reasons)
    )


@given(claims, st.none() | fixes, fixes)
def test_any_claim_gets_a_verdict_with_sentences(
    claim: Claim, vehicle: list[tuple[int, float, float]] | None, phone: list[tuple[int, float, float]]
) -> None:
    judged = judge(claim, None if vehicle is None else seen(*vehicle), seen(*phone))
    assert fine(judged)
    if not vehicle:
        assert judged.verdict != CONFIRMED


@given(fixes, fixes, st.integers(-14, 14))
def test_a_late_fix_at_the_place_confirms_whatever_else_was_seen(
    vehicle: list[tuple[int, float, float]], phone: list[tuple[int, float, float]], minutes: int
) -> None:
    others = [fix for fix in vehicle if fix[0] != minutes]
    assert judge(CLAIM, seen(*others, (minutes, *CLINIC)), seen(*phone)).verdict == CONFIRMED


@given(fixes)
def test_what_lies_outside_the_window_changes_nothing(vehicle: list[tuple[int, float, float]]) -> None:
    within = [fix for fix in vehicle if abs(fix[0]) * MINUTE_MS <= WINDOW_MS]
    assert judge(CLAIM, seen(*vehicle), NOWHERE) == judge(CLAIM, seen(*within), NOWHERE)


@given(degrees, degrees)
def test_distances_of_arrays_are_those_of_single_points(one: tuple[float, float], other: tuple[float, float]) -> None:
    found = metres_from(one, np.array([other[0]]), np.array([other[1]]))[0]
    assert found == pytest.approx(distance_m(*one, *other), rel=1e-9, abs=0.05)


def test_verdicts_are_kept_and_follow_late_positions(sqlite_store: Store) -> None:
    depot = Depot(sqlite_store)
    depot.usual()
    own = depot.vehicle()
    depot.arrive(an_event(at_ms=AT_MS))

    def recompute() -> int:
        with depot.store.read() as connection:
            found = compute_verdicts(connection, [Place("mod4-1", "batch-1")], read_shapes(connection), AT_MS)
        return depot.write(lambda connection: store_verdicts(connection, found, from_ms(AT_MS)))

    assert recompute() == 1
    assert recompute() == 0
    (row,) = rows_of(depot.store, ProofVerdict)
    assert (row.verdict, row.evidence["vehicle_id"]) == (NO_EVIDENCE, own)
    depot.drive([(AT_MS - MINUTE_MS, *CLINIC)])
    assert recompute() == 1
    (listed,) = depot.ask(proofs_of_batch, depot.id_of(DeliveryBatchRow, "batch-1"), AT_MS)
    assert listed.verdict is not None
    assert (listed.verdict.verdict, listed.verdict.distance_m) == (CONFIRMED, 0.0)


def test_without_a_known_place_a_fence_elsewhere_is_not_taken_for_it(sqlite_store: Store) -> None:
    depot = Depot(sqlite_store)
    depot.usual()
    depot.vehicle()
    depot.arrive(a_place("clinic-1", None), an_event(at_ms=AT_MS, lat=None, lon=None))
    depot.write(lambda connection: add_fences(connection, [circle("Clinic 1", *CLINIC, 400.0)]))
    with depot.store.read() as connection:
        found = compute_verdicts(connection, [Place("mod4-1", "batch-1")], read_shapes(connection), AT_MS)
    assert found[0].judged.verdict == NO_EVIDENCE
    assert "place of the facility" in found[0].judged.reasons[0]
