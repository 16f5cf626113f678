"""Merging proofs: what is told becomes one reading, in whatever order and however often it came."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.dispatch import DeliveryEvent
from app.deliveries.proof import NONE, REPORTED, UPLOADED, Proof, in_order, merge_proof
from tests.helpers.dispatch import HOUR_MS, MINUTE_MS, a_batch, a_stop, an_event
from tests.helpers.fleet import T0_MS

NOW_MS = T0_MS + 12 * HOUR_MS


def proof_of(*events: DeliveryEvent, stop: Any = None, now_ms: int = NOW_MS) -> Proof:
    return merge_proof("clinic-1", events, stop or a_stop(), a_batch(), now_ms)


def test_nothing_told_is_an_open_stop() -> None:
    proof = proof_of()
    assert (proof.outcome, proof.is_proof, proof.marks) == ("open", False, ())


def test_a_whole_delivery() -> None:
    at_ms = T0_MS + HOUR_MS
    proof = proof_of(
        an_event("m:1", "arrived", at_ms - 10 * MINUTE_MS),
        an_event("m:2", "photo", at_ms - MINUTE_MS, photo_kind="proof_of_delivery"),
        an_event("m:3", "signature", at_ms - MINUTE_MS),
        an_event("m:4", "delivered", at_ms, recipient="Nurse Ade",
                 told={"itemsDelivered": [{"name": "ORS", "expected_quantity": 10, "delivered_quantity": 8}]}),
        an_event("m:5", "discrepancy", at_ms, item="ORS", reason="damaged_in_transit"),
    )  # fmt: skip
    assert (proof.outcome, proof.at_ms, proof.arrived_ms) == ("delivered", at_ms, at_ms - 10 * MINUTE_MS)
    assert (proof.recipient, proof.signature, proof.photo, proof.missing) == ("Nurse Ade", REPORTED, REPORTED, ())
    (item,) = proof.items
    assert (item.item, item.expected, item.delivered, item.difference) == ("ORS", 10, 8, -2)
    assert (proof.has_discrepancy, item.reason) == (True, "damaged_in_transit")


def test_a_reported_photo_is_not_an_uploaded_one() -> None:
    reported = an_event("m:1", "photo", photo_url="blob:file-on-phone", photo_kind="proof_of_delivery")
    uploaded = replace(reported, peer_id="m:2", is_uploaded=True, source="driver_app")
    assert proof_of(reported).photo == REPORTED
    both = proof_of(reported, uploaded)
    assert (both.photo, len(both.photos)) == (UPLOADED, 1)
    assert proof_of(an_event()).photo == NONE
    assert proof_of(an_event(told={"proofCaptured": True})).photo == REPORTED
    assert proof_of(stop=a_stop(stage="delivered", proof_url="https://x/y.jpg")).photo == UPLOADED


def test_a_clock_ahead_is_marked_and_the_platforms_time_is_compared() -> None:
    proof = proof_of(an_event(at_ms=T0_MS + 2 * HOUR_MS, received_ms=T0_MS + HOUR_MS))
    assert "future" in proof.marks
    assert proof.at_ms == T0_MS + HOUR_MS
    assert "future" in proof_of(an_event(at_ms=NOW_MS + HOUR_MS, received_ms=None)).marks


def test_late_early_and_outside_the_batch() -> None:
    stop = a_stop(planned_arrival_ms=T0_MS + 3 * HOUR_MS)
    assert "early" in proof_of(an_event(at_ms=T0_MS + 2 * HOUR_MS), stop=stop).marks
    assert "late" in proof_of(an_event(at_ms=T0_MS + 4 * HOUR_MS), stop=stop).marks
    assert "reported_late" in proof_of(an_event(received_ms=T0_MS + 5 * HOUR_MS)).marks
    assert "before_start" in proof_of(an_event(at_ms=T0_MS - HOUR_MS)).marks
    ended = merge_proof("clinic-1", [an_event(at_ms=T0_MS + 3 * HOUR_MS)], a_stop(), a_batch(ended_ms=T0_MS), NOW_MS)
    assert "after_end" in ended.marks


def test_contradictions_are_told_and_not_decided() -> None:
    proof = proof_of(
        an_event("m:1", "failed", T0_MS, recipient="Ade"),
        an_event("m:2", "delivered", T0_MS + HOUR_MS, recipient="Obi"),
    )
    assert proof.outcome == "delivered"
    assert proof.marks == ("contradiction",)
    assert len(proof.remarks) == 2
    route = proof_of(an_event(), stop=a_stop(stage="skipped"))
    assert "contradiction" in route.marks


def test_a_place_that_is_no_stop_is_said_to_be_none() -> None:
    proof = merge_proof("elsewhere", [an_event(facility="elsewhere")], None, a_batch(), NOW_MS)
    assert (proof.sequence, proof.marks) == (None, ("not_in_batch",))


def test_a_delivery_elsewhere_by_proxy_says_why() -> None:
    proof = proof_of(an_event(), an_event("m:2", "proxy_reason", reason="road closed", notes="met at the junction"))
    assert (proof.is_proxy, proof.proxy_reason) == (True, "road closed")


def test_zero_zero_is_no_place() -> None:
    assert proof_of(an_event(lat=0.0, lon=0.0)).lat is None


def test_only_what_a_delivery_lacks_is_missing() -> None:
    assert proof_of(an_event()).missing == ("recipient", "signature", "photo")
    assert proof_of(an_event(kind="skipped")).missing == ()


told = st.one_of(
    st.none(),
    st.dictionaries(
        st.sampled_from(["items", "itemsDelivered", "proofCaptured", "has_discrepancy", "recipient_role", "x"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
            lambda inner: (
                st.lists(inner, max_size=3)
                | st.dictionaries(st.sampled_from(["name", "expected", "delivered", "unit"]), inner, max_size=4)
            ),
            max_leaves=8,
        ),
        max_size=3,
    ),
)
kinds = st.sampled_from(
    ["delivered", "failed", "skipped", "returned", "arrived", "photo", "signature", "discrepancy", "item_reconciled",
     "proxy_reason", "proof", "delivery_started"]
)  # fmt: skip
minutes = st.integers(-500, 500).map(lambda value: T0_MS + value * MINUTE_MS)


@st.composite
def events(draw: st.DrawFn) -> list[DeliveryEvent]:
    return [
        an_event(
            f"e:{number}",
            draw(kinds),
            draw(minutes),
            source=draw(st.sampled_from(["mod4_events", "route_history", "delivery_logs", "driver_app"])),
            received_ms=draw(st.none() | minutes),
            recipient=draw(st.sampled_from(["", "Ade", "ade ", "Obi"])),
            item=draw(st.sampled_from(["", "ORS", "ors", "Zinc"])),
            expected_units=draw(st.none() | st.floats(-5, 50)),
            delivered_units=draw(st.none() | st.floats(-5, 50)),
            photo_url=draw(st.sampled_from(["", "blob:1", "https://x/1"])),
            photo_kind=draw(st.sampled_from(["", "signature", "proof_of_delivery", "damage"])),
            is_uploaded=draw(st.booleans()),
            told=draw(told),
        )
        for number in range(draw(st.integers(0, 8)))
    ]


@settings(max_examples=50)
@given(events(), st.randoms(use_true_random=False))
def test_order_does_not_matter(found: list[DeliveryEvent], rng: random.Random) -> None:
    mixed = list(found)
    rng.shuffle(mixed)
    assert proof_of(*mixed) == proof_of(*found)


@settings(max_examples=50)
@given(events(), st.integers(1, 3))
def test_coming_again_under_another_id_changes_nothing(found: list[DeliveryEvent], times: int) -> None:
    again = [replace(event, peer_id=f"{event.peer_id}/{time}") for event in found for time in range(times)]
    once, more = proof_of(*found), proof_of(*found, *again)
    assert replace(more, events=0) == replace(once, events=0)
    assert more.events == once.events == len(in_order(found))


@settings(max_examples=50)
@given(events())
def test_a_proof_is_never_more_than_what_was_told(found: list[DeliveryEvent]) -> None:
    proof = proof_of(*found)
    assert proof.is_proof == any(
        event.kind in ("delivered", "failed", "skipped", "returned", "proof") for event in found
    )
    if not any(event.is_uploaded for event in found):
        assert proof.photo != UPLOADED
        assert proof.signature != UPLOADED
    assert proof.at_ms is None or proof.told_ms is None or proof.at_ms <= proof.told_ms
