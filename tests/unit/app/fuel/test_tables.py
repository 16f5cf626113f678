"""Tank tables, their files, tanks by their dimensions, files of samples, parameters."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fuel.errors import FuelError
from app.fuel.geometry import Geometry
from app.fuel.parameters import CLASSES, DESCRIBED, Parameters, changed, of_class, to_values
from app.fuel.series import samples_from_csv
from app.fuel.table import make_table, percent_table
from app.fuel.table_files import parse_table, read_table, to_csv, to_json, to_wialon

ROWS = [(0.0, 0.0), (100.0, 20.0), (300.0, 80.0), (900.0, 240.0)]


def test_between_rows_linear_outside_the_ends_and_beyond_them_nothing() -> None:
    table = make_table(ROWS)
    assert table.litres_of(np.array([0, 50, 200, 900, 920, -10])).tolist() == [0, 10, 50, 240, 240, 0]
    assert np.isnan(table.litres_of(np.array([1000.0, -100.0, np.nan, np.inf]))).all()
    assert table.capacity_l == 240


@pytest.mark.parametrize(("rows", "why"), [
    ([(0, 0)], "at least two rows"),
    ([(0, 0), (0, 10)], "Row 2 .* not above"),
    ([(0, 0), (10, 5), (20, 3)], "Row 3 .* less than"),
    ([(0, 0), (float("nan"), 5)], "numbers only"),
    ([(0, 5), (10, 5)], "same litres"),
    ([(0, -5), (10, 5)], "below 0"),
])  # fmt: skip
def test_a_table_that_cannot_be_is_refused_with_its_row(rows: list[tuple[float, float]], why: str) -> None:
    with pytest.raises(FuelError, match=why):
        make_table(rows)


def test_what_is_unlikely_is_pointed_out() -> None:
    findings = make_table([(0, 0), (100, 10), (200, 20), (210, 100), (300, 110)]).check()
    assert [finding.row for finding in findings] == [4, 4, 5]
    assert "over 10 %" in findings[0].text + findings[1].text


@pytest.mark.parametrize(
    "text",
    [
        "raw,litres\n0,0\n100,20\n300,80\n900,240\n",
        "0;0\n100;20,0\n300;80\n900;240",
        "litres\treading\n0\t0\n20\t100\n80\t300\n240\t900",
        '{"rows": [[0, 0], [100, 20], [300, 80], [900, 240]]}',
        "[[900, 240], [300, 80], [100, 20], [0, 0]]",
        "<tank>" + "".join(f'<row code="{raw:g}" volume="{litres:g}"/>' for raw, litres in ROWS) + "</tank>",
        "0,0\n20,100\n80,300\n240,900\n",
    ],
)
def test_every_form_of_one_table_is_read_as_the_same(text: str) -> None:
    assert parse_table(text).rows() == [list(row) for row in ROWS]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    table = make_table(ROWS)
    for number, text in enumerate((to_csv(table), to_wialon(table), to_json(table, vehicle="KAN-552XA"))):
        path = tmp_path / f"table{number}"
        path.write_text(text, "utf-8")
        again = read_table(path)
        assert np.allclose(again.rows(), table.rows(), atol=1e-4)


@pytest.mark.parametrize(("text", "why"), [
    ("", "is empty"), ("raw,litres\n", "no rows"), ("raw,litres\n0,0\n1,x\n", "line 3: “x”"),
    ("raw,litres\n0\n", "line 2"),
    ("{", "not complete JSON"), ("{}", "no list"), ("[[1]]", "row 1"), ("<a>", "not complete XML"), ("<a/>", "no rows"),
    ('<!DOCTYPE x [<!ENTITY a "b">]><a/>', "entities"), ("[" * 100_000, "not complete JSON"),
])  # fmt: skip
def test_other_files_are_refused_in_a_sentence(text: str, why: str) -> None:
    with pytest.raises(FuelError, match=why):
        parse_table(text)


@given(st.binary(max_size=300))
def test_any_file_costs_nothing(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("t") / "x"
    path.write_bytes(data)
    for read in (read_table, samples_from_csv):
        with suppress(FuelError):
            read(path)


def test_tanks_hold_what_the_formulas_say() -> None:
    lying = Geometry("lying_cylinder", 1.2, 0.6, 0.6)
    assert lying.volume_l(np.array([0.15, 0.3, 0.6])) == pytest.approx([66.3, 169.6, 339.3], abs=0.1)
    ends = Geometry("lying_cylinder", 1.2, 0.6, 0.6, ends="hemispherical")
    assert ends.capacity_l - lying.capacity_l == pytest.approx(4 / 3 * np.pi * 0.3**3 * 1000)
    assert Geometry("box", 1, 0.5, 0.4).capacity_l == pytest.approx(200)
    assert Geometry("upright_cylinder", 0, 1, 1).capacity_l == pytest.approx(785.4, abs=0.1)
    rounded = Geometry("rounded_box", 1, 0.5, 0.4, corner_m=0.1)
    assert rounded.capacity_l == pytest.approx(200 - (4 - np.pi) * 0.01 * 1000, rel=1e-3)
    stepped = Geometry("stepped_box", 1, 0.6, 0.5, step_width_m=0.3, step_height_m=0.2)
    assert stepped.volume_l(np.array([0.1, 0.2, 0.3, 0.5])) == pytest.approx([30, 60, 120, 240])
    with pytest.raises(FuelError, match="step must lie"):
        Geometry("stepped_box", 1, 0.6, 0.5, step_width_m=0.3, step_height_m=0.5).table(0, 1)
    with pytest.raises(FuelError, match="width below"):
        Geometry("stepped_box", 1, 0.6, 0.5, step_height_m=0.2).table(0, 1)
    assert lying.table(0, 4095).capacity_l == pytest.approx(lying.capacity_l)
    with pytest.raises(FuelError, match="width"):
        Geometry("box", 1, 0, 1).table(0, 1)
    with pytest.raises(FuelError, match="corners"):
        Geometry("rounded_box", 1, 0.5, 0.4, corner_m=0.3).table(0, 1)


def test_files_of_samples_name_what_is_wrong(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    for text, why in (
        ("a,b\n1,2\n", "no column “time”"), ("time,level_raw\n", "no samples"),
        ("time,level_raw\nyesterday,1\n", "line 2"),
        ("time,level_raw\n1,2\n2,x\n", "line 3, column level_raw"), ("time,level_raw\n1,2,3\n", "line 2"),
    ):  # fmt: skip
        path.write_text(text, "utf-8")
        with pytest.raises(FuelError, match=why):
            samples_from_csv(path)
    path.write_bytes(bytes(range(256)) * 10)
    with pytest.raises(FuelError, match="not a text file"):
        samples_from_csv(path)
    with pytest.raises(FuelError, match="cannot be read"):
        samples_from_csv(tmp_path / "missing.csv")


def test_separators_and_decimal_commas_are_understood(tmp_path: Path) -> None:
    path = tmp_path / "v.csv"
    path.write_text('time;level_raw;ignition\n1;2,5;1\n3;"4,5";\n2;;0\n', "utf-8")
    samples = samples_from_csv(path)
    assert samples.time_s.tolist() == [1, 2, 3]
    assert samples.ignition.tolist() == [1, 0, -1]
    assert samples.raw[[0, 2]].tolist() == [2.5, 4.5]


def test_parameters_are_described_and_limited() -> None:
    assert {one.name for one in DESCRIBED} <= to_values(Parameters()).keys()
    for name in CLASSES:
        assert of_class(name).norm_l_100_km > 0
    assert changed(Parameters(), {"minimum_drain_l": 8, "window_parked": 6}).window_parked == 7
    for values, why in (
        ({"x": 1}, "no parameter"), ({"minimum_drain_l": 900}, "2 to 200 L"), ({"filter": "y"}, "one of"),
        ({"idle_l_h": "2"}, "number"), ({"drains_in_motion": 1}, "true or false"),
    ):  # fmt: skip
        with pytest.raises(FuelError, match=why):
            changed(Parameters(), values)
    with pytest.raises(FuelError, match="capacity"):
        percent_table(0)
