"""``fuel parameters``: norms and limits of classes and vehicles without a window."""

from __future__ import annotations

import pytest

from tests.helpers.command_line import CommandLine, Outcome, assert_refused


@pytest.fixture
def van(cli: CommandLine) -> CommandLine:
    assert cli("vehicles", "add", "KAN-1").status == 0
    return cli


def held(outcome: Outcome) -> dict[str, tuple[object, bool]]:
    return {row["name"]: (row["value"], row["own"]) for row in outcome.json}


def test_what_is_set_for_a_class_holds_for_its_vehicles(van: CommandLine) -> None:
    truck = ("--class", "truck")
    assert held(van("fuel", "parameters", "show", *truck, "--json"))["norm_l_100_km"] == (28, False)
    changed = ("norm_l_100_km=31.5", "filter=adaptive", "drains_in_motion=false")
    found = held(van("fuel", "parameters", "set", *truck, *changed, "--json"))
    assert found["norm_l_100_km"] == (31.5, True)
    assert (found["filter"], found["drains_in_motion"]) == (("adaptive", True), (False, True))
    assert held(van("fuel", "parameters", "show", "--vehicle", "KAN-1", "--json"))["norm_l_100_km"] == (31.5, False)
    own = held(van("fuel", "parameters", "set", "--vehicle", "KAN-1", "norm_l_100_km=33", "--json"))
    assert own["norm_l_100_km"] == (33, True)
    back = held(van("fuel", "parameters", "set", "--vehicle", "KAN-1", "--reset", "norm_l_100_km", "--json"))
    assert back["norm_l_100_km"] == (31.5, False)
    assert "Consumption norm" in van("fuel", "parameters", "show", *truck).out


def test_what_cannot_be_is_refused(van: CommandLine) -> None:
    change = ("fuel", "parameters", "set")
    assert_refused(van(*change, "--class", "tram", "idle_l_h=1"), "truck")
    assert_refused(van(*change, "--class", "van", "idle_l_h=99"), "0 to 20")
    assert_refused(van(*change, "--class", "van", "idle_l_h=NaN"), "0 to 20")
    assert_refused(van(*change, "--class", "van", "colour=1"), "colour")
    assert_refused(van(*change, "--class", "van", "--reset", "idle_l_h"), "idle_l_h")
    assert_refused(van("fuel", "parameters", "show", "--vehicle", "nobody"), "nobody")
    assert van(*change, "--class", "van").status == 2
    assert van(*change, "--class", "van", "idle").status == 2
    assert van("fuel", "parameters", "show").status == 2
    assert van("fuel", "parameters", "show", "--class", "van", "--vehicle", "KAN-1").status == 2
