"""Requests and values over the web service on anything at all: what is asked is what is understood."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.mod4.readings import (
    COLUMNS,
    Among,
    AnyOf,
    Differs,
    Empty,
    Equals,
    Member,
    NotAmong,
    OfWorkspace,
    SameText,
    Since,
)
from adapters.mod4.simulator.rest import split, wanted
from adapters.mod4.web_query import behind, converted, embedded, params_of, quoted, text, time_ms
from tests.adapters.mod4.support import Site, fetch, send
from tests.adapters.mod4.test_mapping import JSON

TEXTS = st.text(st.characters(exclude_characters="\x00", codec="utf-8"), max_size=30)


def values_of(*conditions: Any, members: tuple[str, ...] = ()) -> list[Any]:
    """What the simulated service understands of filters: the values that it would compare with."""
    return list(wanted(params_of(conditions, members)).values)


@given(value=TEXTS)
@settings(max_examples=200, deadline=None)
def test_a_text_is_compared_as_it_is_whatever_it_holds(value: str) -> None:
    plain = [Equals("a", value), Differs("a", value)]
    assert values_of(Among("a", (value, "x")), NotAmong("a", (value,)), Member("a", "w"), members=(value,)) == [
        [value, "x"], [value], [value]
    ]  # fmt: skip
    assert values_of(AnyOf((Equals("a", value), Empty("a"), NotAmong("a", (value, "y"))))) == [value, [value, "y"]]
    if not value.startswith('"'):
        assert values_of(*plain) == [value, value]
    assert split(f"{quoted(value)},b") == [quoted(value), "b"]


@given(at=TEXTS, key=TEXTS, sign=st.sampled_from(["gt", "lt"]))
@settings(max_examples=100, deadline=None)
def test_the_row_behind_is_asked_for_by_its_own_values(at: str, key: str, sign: str) -> None:
    assert list(wanted([behind(["came", "id"], {"came": at, "id": key}, sign)]).values) == [at, at, key]


def test_rows_of_other_workspaces_are_kept_out_by_their_keys() -> None:
    conditions = (OfWorkspace("driver_id", "drivers", "w"), Since("captured_at", 1_500))
    assert embedded(conditions) == ["drivers!inner(workspace_id)"]
    assert params_of(conditions, ()) == [
        ("drivers.workspace_id", "eq.w"), ("captured_at", "gte.1970-01-01T00:00:01.500000+00:00")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("email", "pattern"),
    [("a_b@c.test", r"ilike.a\_b@c.test"), ("50%@c.test", r"ilike.50\%@c.test"), ("a*@c.test", "ilike.a_@c.test")],
)
def test_an_address_matches_itself_alone(email: str, pattern: str) -> None:
    assert params_of([SameText("email", email)], ()) == [("email", pattern)]


@given(at=st.datetimes(timezones=st.just(UTC)))
@settings(max_examples=200, deadline=None)
def test_times_are_read_to_the_millisecond(at: datetime) -> None:
    found = time_ms(at.isoformat())
    assert found is not None
    assert (
        timedelta(0)
        <= at - datetime(1970, 1, 1, tzinfo=UTC) - timedelta(milliseconds=found)
        < timedelta(milliseconds=1)
    )


@pytest.mark.parametrize(
    "value", ["infinity", "-infinity", "4000-01-01T00:00:00+00:00 BC", "200000-01-01", "", 5, None]
)
def test_a_time_that_no_calendar_knows_is_none(value: Any) -> None:
    assert time_ms(value) is None


@given(raw=st.dictionaries(st.sampled_from(sorted(COLUMNS["delivery_batches"])), JSON, max_size=30))
@settings(max_examples=150, deadline=None)
def test_any_row_becomes_one_of_our_kinds(raw: dict[str, Any]) -> None:
    kinds = COLUMNS["delivery_batches"]
    row = converted(raw, kinds)
    assert set(row) == set(kinds)
    for name, kind in kinds.items():
        value = row[name]
        match kind:
            case "text":
                assert value is None or isinstance(value, str)
            case "ms":
                assert value is None or type(value) is int
            case "number":
                assert value is None or isinstance(value, float)
            case "flag":
                assert type(value) is bool
            case "texts":
                assert value is None or all(isinstance(one, str) for one in value)


def test_values_are_written_as_the_database_writes_them() -> None:
    assert [text(value) for value in (True, False, 5, "x", None)] == ["true", "false", "5", "x", None]


@pytest.mark.parametrize(
    "name", ['a"b', "a,b", "a)b(", "a.b", "a\\b", "O'Neil", "ä ñ 漢", "%_*", "eq.x", "null", '"quoted"']
)
async def test_names_of_every_kind_come_and_go_as_they_are(web: Site, name: str) -> None:
    """Through the real database, by the address of an invitation and by a batch's name."""
    web.run("UPDATE delivery_batches SET name = %s", name)
    from adapters.dispatch import DeliveryBatch
    from tests.adapters.mod4.support import PLANNED, of_kind

    records, _ = await fetch(web.settings(positions=False))
    assert {one.name for one in of_kind(records, DeliveryBatch)} == {name}
    receipt = await send(web.settings(), "cancel_batch", PLANNED, {"stage": "cancelled"})
    assert getattr(receipt.records[0], "name", "") == name
