"""Parsers and mappers on anything at all: what is read of metadata, sources of functions, words of servers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.cursors import load
from adapters.errors import AdapterError
from adapters.mod4.desk import token_text
from adapters.mod4.events import LONGEST_TOLD, event
from adapters.mod4.fleet import _stops
from adapters.mod4.inventory import Column, FunctionFacts, Inventory, Policy, TableFacts, Trigger
from adapters.mod4.positions import position
from adapters.mod4.shapes import problem_of, trigger_problem
from adapters.mod4.tables import amount, place
from adapters.mod4.words import lost, not_connected, one_line

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=50),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=20), inner, max_size=6),
    max_leaves=20,
)
NAMES = st.sampled_from(["facilityId", "photoUrl", "recipientName", "expectedQuantity", "reason", "notes", "photoType"])
TOLD = st.dictionaries(NAMES, JSON, max_size=7) | JSON


def row(**given_values: Any) -> dict[str, Any]:
    texts = (
        "event_type driver_id session_id device_id vehicle_id batch_id facility_id driver_status item_id "
        "discrepancy_reason id network_type"
    )
    others = (
        "lat lng captured_at received_at created_at recorded_at synced_at metadata location expected_qty actual_qty "
        "altitude_m accuracy_m heading speed_mps battery_level is_background"
    )
    names = f"{texts} {others}".split()
    return {**dict.fromkeys(names), "key": "k", "captured_at": 5, "created_at": 5, "recorded_at": 5, **given_values}


@given(told=TOLD, source=st.sampled_from(["mod4_events", "delivery_logs", "driver_events"]), kind=st.text(max_size=30))
@settings(max_examples=150, deadline=None)
def test_any_metadata_makes_an_event_of_bounded_size(told: Any, source: Any, kind: str) -> None:
    found = event(source, row(metadata=told, location=told, event_type=kind), {})
    assert found.peer_id == f"{source}:k"
    assert len(json.dumps(found.told, default=str)) <= LONGEST_TOLD + 200 if found.told is not None else True
    assert all(isinstance(text, str) for text in (found.facility, found.recipient, found.reason, found.photo_url))
    assert found.expected_units is None or abs(found.expected_units) < float("inf")


@given(lat=JSON, lon=JSON, speed=st.none() | st.floats(), course=st.none() | st.floats())
@settings(max_examples=100, deadline=None)
def test_any_place_is_one_on_earth_or_none(lat: Any, lon: Any, speed: float | None, course: float | None) -> None:
    north, east = place(lat, lon)
    assert (north is None) == (east is None)
    try:
        found = position(row(lat=lat, lng=lon, speed_mps=speed, heading=course, driver_id="d"), 7)
    except ValueError:
        assert north is None
        return
    assert -90 <= found.lat <= 90
    assert -180 <= found.lon <= 180
    assert found.course_deg is None or 0 <= found.course_deg < 360


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abcd"), max_size=6))
@settings(max_examples=100, deadline=None)
def test_each_stop_and_each_row_of_the_route_has_one_place(facilities: list[str], told: list[str]) -> None:
    names = ("status", "planned_arrival", "actual_arrival", "check_in_time", "check_out_time", "recipient_name",
             "proof_of_delivery_url", "delay_reason", "notes")  # fmt: skip
    route = [{**dict.fromkeys(names), "id": str(n), "facility_id": one} for n, one in enumerate(told)]
    stops = _stops(facilities, route)
    assert [stop.sequence for stop in stops] == list(range(1, len(stops) + 1))
    assert len({stop.peer_id for stop in stops}) == len(stops)
    assert [stop.facility for stop in stops][: len(facilities)] == facilities
    spare = sum(max(told.count(one) - facilities.count(one), 0) for one in set(told))
    assert len(stops) == len(facilities) + spare


def inventory(source: str, path: tuple[str, ...] | None = (), **more: Any) -> Inventory:
    column = Column("uuid", True, True, True, True, True)
    optional = Column("text", False, False, True, True, True)
    tables = {"drivers": TableFacts("drivers", {"id": optional, "name": column, "workspace_id": column})}
    values: dict[str, Any] = {
        "who": "the role r", "grant": "Ask.", "version": "v", "bypasses": True, "has_accounts": True, "now_ms": 0,
        "tables": tables,
        "functions": {"f": FunctionFacts("f", (), 0, True, source, path)}, "relations": frozenset({"drivers"}),
        "types": frozenset({"state"}), "places": {"gen_random_bytes": frozenset({"extensions"})},
    }  # fmt: skip
    return Inventory(**{**values, **more})


@given(st.text(max_size=300))
@settings(max_examples=100, deadline=None)
def test_any_source_is_judged_without_a_crash(source: str) -> None:
    assert isinstance(problem_of(inventory(source), "f"), str)


@pytest.mark.parametrize(
    ("source", "path", "word"),
    [
        ("SELECT 1 FROM drivers", (), "names the table drivers"),
        ("SELECT 1 FROM public.drivers", (), ""),
        ("SELECT 1 FROM drivers", ("public",), ""),
        ("SELECT 1 FROM drivers", None, ""),
        ("WITH drivers AS (SELECT 1) SELECT * FROM drivers", (), ""),
        ("-- FROM drivers\n/* JOIN drivers */ SELECT 'FROM drivers'", (), ""),
        ("SELECT gen_random_bytes(3)", ("public",), "outside its search path"),
        ("SELECT gen_random_bytes(3)", ("public", "extensions"), ""),
        ("SELECT extensions.gen_random_bytes(3)", (), ""),
        ("SELECT crypt('a', 'b')", ("public",), "does not have"),
        ("SELECT 'x'::state", (), "names the type state"),
        ("INSERT INTO public.drivers (name, role, workspace_id) VALUES (1, 2, 3)", (), "drivers.role"),
        ("INSERT INTO public.drivers (name) VALUES (1)", (), "without workspace_id"),
        ("INSERT INTO public.drivers (name, workspace_id) VALUES (1, 2)", (), ""),
        ("UPDATE public.drivers AS d SET phone = 1", (), "drivers.phone"),
        ("UPDATE public.drivers SET name = 1", (), ""),
    ],
)
def test_what_is_broken_is_seen_and_what_is_sound_is_not_blamed(
    source: str, path: tuple[str, ...] | None, word: str
) -> None:
    found = problem_of(inventory(source, path), "f")
    assert word in found if word else found == ""


@pytest.mark.parametrize(
    ("condition", "status", "hinders"),
    [
        ("IF new.status = 'in-progress' THEN", "in-progress", True),
        ("IF new.status = 'in-progress' THEN", "cancelled", False),
        ("IF NEW.status IN ('assigned', 'completed') THEN", "completed", True),
        ("IF NEW.status IN ('assigned', 'completed') THEN", "cancelled", False),
        ("", "cancelled", True),
    ],
)
def test_a_trigger_hinders_the_statuses_that_it_acts_on(condition: str, status: str, hinders: bool) -> None:
    made = inventory(condition + " SELECT 1 FROM drivers", triggers=(Trigger("drivers", "u", "f", ""),))  # noqa: S608
    assert bool(trigger_problem(made, "drivers", "u", status)) is hinders
    assert trigger_problem(made, "drivers", "i", status) == ""


def test_functions_that_call_each_other_in_a_circle_end() -> None:
    facts = {
        name: FunctionFacts(name, (), 0, True, f"SELECT public.{other}()", ("public",))
        for name, other in (("f", "g"), ("g", "f"))
    }
    assert problem_of(inventory("", functions=facts), "f") == ""


@pytest.mark.parametrize(
    ("using", "scope"),
    [("true", "all"), ("(user_id = auth.uid())", "own"), ("is_workspace_member_v2(workspace_id)", "all"),
     ("(workspace_id = 'x'::uuid)", "all"), ("false", "none")],
)  # fmt: skip
def test_policies_open_everything_or_one_s_own(using: str, scope: str) -> None:
    policy = Policy("p", "*", True, using, using)
    assert policy.scope("select") == scope
    table = TableFacts("t", {}, True, (policy,))
    assert table.scope("update") == scope
    assert TableFacts("t", {}, True, ()).scope("select") == "none"
    assert TableFacts("t", {}, False, ()).scope("select") == "all"


@given(st.text(max_size=40), st.sampled_from(["", "28P01", "28000", "3D000", "42501", "53300", "57P03", "0A000"]))
@settings(max_examples=60, deadline=None)
def test_every_refusal_of_a_sign_in_is_a_sentence(said: str, state: str) -> None:
    found = not_connected(state, said, "the database", "u", "d")
    assert isinstance(found, AdapterError)
    assert found.why[0].isupper()
    assert found.why.endswith(".")
    assert "\n" not in found.why


def test_what_may_pass_is_tried_again_and_a_rule_is_not() -> None:
    for state in ("57014", "40P01", "55P03", "57P01", "25006", "", "08006", "53100"):
        assert lost(state, "words", "the database", 30) is not None
    for state in ("P0001", "23505", "42501", "42883", "22P02"):
        assert lost(state, "words", "the database", 30) is None


def test_texts_of_servers_become_one_short_line() -> None:
    assert one_line("a\n\tb\x00\x1b[31mc" + "x" * 500).startswith("a b [31mc")
    assert len(one_line("x" * 5_000)) == 300


def test_tokens_are_written_as_links_carry_them() -> None:
    assert token_text("00112233-4455-6677-8899-aabbccddeeff") == "ABEiM0RVZneImaq7zN3u_w"


@given(st.text(max_size=40) | st.none())
@settings(max_examples=50, deadline=None)
def test_a_damaged_cursor_is_an_empty_one(text: str | None) -> None:
    assert isinstance(load(text), dict)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("12", 12.0),
        (True, None),
        ("x", None),
        (float("nan"), None),
        ("inf", None),
        (None, None),
        ([], None),
        ("1e400", None),
    ],
)
def test_only_finite_numbers_are_amounts(value: Any, found: float | None) -> None:
    assert amount(value) == found
