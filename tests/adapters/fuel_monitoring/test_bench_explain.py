"""Explaining traffic: no bytes are too strange, and pieces say the same as the whole."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.bench import Traffic
from adapters.fuel_monitoring.bench.dialects import DIALECTS
from adapters.fuel_monitoring.bench.explain import TrafficExplainer, explain_capture

DIRECTIONS: tuple[Literal["sent", "received"], ...] = ("sent", "received")
KEYS = [one.key for one in DIALECTS]


@given(
    st.sampled_from(KEYS),
    st.lists(st.tuples(st.sampled_from(DIRECTIONS), st.binary(max_size=80)), max_size=12),
)
def test_no_bytes_are_too_strange(dialect: str, pieces: list[tuple[Literal["sent", "received"], bytes]]) -> None:
    capture = [Traffic(float(at), direction, data) for at, (direction, data) in enumerate(pieces)]
    explained = explain_capture(dialect, capture)
    assert [(one.direction, one.data) for one in explained] == pieces
    assert all(name and value.isprintable() for one in explained for name, value in one.fields)


@pytest.mark.parametrize(
    ("dialect", "sent", "received", "says"),
    [
        ("lls", "3101066C", "3E0106110100010030", ("level", "1")),
        ("ede", "3101066C", "3E0106FF0008F90A73", ("temperature", "-1 °C")),
        ("lls_text", "444F", b"F=0AF9 t=1A N=03FF.0\r\n".hex(), ("level", "1023")),
        ("escort_td500", "0103000000044409", "", ("count", "4")),
        ("slcan", b"L\r".hex(), b"T18FEFC218FF7DFFFFFFFF50FF\r".hex(), ("fuel level 1", "50 %")),
        ("elm327", b"012F\r".hex(), b"7E803412F80\r\r>".hex(), ("fuel level", "50.1961 %")),
    ],
)
def test_each_dialect_says_what_passed(dialect: str, sent: str, received: str, says: tuple[str, str]) -> None:
    capture = [Traffic(0.0, "sent", bytes.fromhex(sent)), Traffic(0.1, "received", bytes.fromhex(received))]
    fields = [field for one in explain_capture(dialect, capture) for field in one.fields]
    assert says in fields


@given(st.data())
def test_an_answer_in_pieces_says_the_same(data: st.DataObject) -> None:
    raw = bytes.fromhex("3E0106110100010030")
    cuts = sorted(data.draw(st.sets(st.integers(1, len(raw) - 1))))
    explainer = TrafficExplainer("lls")
    parts = [raw[start:end] for start, end in zip([0, *cuts], [*cuts, len(raw)], strict=True)]
    explained = [explainer.explain(Traffic(0.0, "received", part)) for part in parts]
    whole = TrafficExplainer("lls").explain(Traffic(0.0, "received", raw))
    assert explained[-1].fields == whole.fields
    assert all(one.fields == () for one in explained[:-1])
