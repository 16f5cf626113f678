from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from app.commands.output import cell, print_json, print_rows

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
