from __future__ import annotations

import json
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.commands.output import Refused, cell, print_facts, print_json, print_rows
from app.engine.gateway import _say

HOSTILE = "\x1b[2Jevil\x9b31m\r\nready\u2028\x07\x7f\ud800"
LAGOS = timezone(timedelta(hours=1))


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (True, "yes"),
        (datetime(2026, 3, 14, 9, 30, tzinfo=LAGOS), "2026-03-14T08:30:00Z"),
        (datetime(2026, 3, 14, 8, 30, 0, 250_000, tzinfo=UTC), "2026-03-14T08:30:00.250Z"),
        (["speed", "jump"], "speed, jump"),
        ([], "-"),
        ({"a": datetime(2026, 3, 14, tzinfo=UTC)}, '{"a": "2026-03-14T00:00:00Z"}'),
        ("evil\x1b[2Jname\nnext", "evil [2Jname next"),
    ],
)
def test_a_value_is_shown_on_one_line(value: object, shown: str) -> None:
    assert cell(value) == shown


def test_rows_stand_under_their_names(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"plate": "ABJ-1", "last_seen": None}, {"plate": "KANO-22"}], ["plate", "last_seen"], as_json=False)
    assert capsys.readouterr().out == "plate    last seen\nABJ-1    -\nKANO-22  -\n"


def test_json_never_holds_what_has_no_form_there() -> None:
    with pytest.raises(TypeError, match="object"):
        print_json({"it": object()})


def is_tame(text: str) -> bool:
    return all(character.isprintable() for character in text.rstrip("\n").replace("\n", ""))


def test_json_holds_everything_and_steers_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"name": HOSTILE, HOSTILE: ["Kano"]})
    out = capsys.readouterr().out
    assert is_tame(out)
    assert out.count("\n") == 1
    assert json.loads(out) == {"name": HOSTILE, HOSTILE: ["Kano"]}


def test_tables_facts_and_refusals_stay_on_their_lines(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows([{"name": HOSTILE}], ["name"], as_json=False)
    print_facts({"name": HOSTILE}, as_json=False)
    Refused(f"The server says {HOSTILE}.").show()
    captured = capsys.readouterr()
    assert is_tame(captured.out + captured.err)
    assert (captured.out.count("\n"), captured.err.count("\n")) == (3, 1)


def test_the_gateway_says_reasons_of_peers_on_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    _say("Server: refused\r\nready\x1b[2J", sys.stderr)
    assert capsys.readouterr().err.count("\n") == 1
