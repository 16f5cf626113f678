from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from adapters.fuel_monitoring.settings import FuelSettings, Target, read_sensors
from app.catalogue import Catalogue
from app.integrations.settings import SettingsRefused, validate

CATALOGUE = Catalogue.load(third_party=list)
NAMES = st.text("abcXYZ 0-9éß", min_size=1, max_size=20).map(str.strip).filter(bool)


def test_one_line_names_sensors_tanks_and_other_vehicles() -> None:
    settings = FuelSettings(port="COM3", vehicle="KAN-1", sensors="1, 2 = left tank , 3= KAN-2 / main,4=/")
    assert settings.targets == (
        Target(1, "KAN-1", ""),
        Target(2, "KAN-1", "left tank"),
        Target(3, "KAN-2", "main"),
        Target(4, "", ""),
    )
    assert settings.line_speed == 19_200
    assert settings.level_unit == "counts"


@given(st.dictionaries(st.integers(1, 254), NAMES, min_size=1, max_size=20))
def test_what_was_written_is_read_back(wanted: dict[int, str]) -> None:
    text = ", ".join(f"{number} = {tank}" for number, tank in wanted.items())
    found = read_sensors(text, "lls", "V")
    assert {target.number: target.tank for target in found} == wanted


@given(st.text(max_size=60))
def test_any_text_is_read_or_refused_with_a_sentence(text: str) -> None:
    why = ""
    found: tuple[Target, ...] = ()
    try:
        found = read_sensors(text, "lls", "")
    except ValueError as err:
        why = str(err)
    assert why.endswith(".") or (found and all(1 <= target.number <= 254 for target in found))


@pytest.mark.parametrize(
    ("entered", "words"),
    [
        ({"sensors": "left"}, "“left” is no sensor: write address = tank, with commas between."),
        ({"sensors": "1,,2"}, "“” is no sensor: write address = tank, with commas between."),
        ({"sensors": "0"}, "The address of a sensor is 1 to 254, not 0."),
        ({"sensors": "255"}, "The address of a sensor is 1 to 254, not 255."),
        ({"sensors": "1,1"}, "Sensor 1 is named twice."),
        ({"protocol": "slcan", "sensors": "4"}, "A level of the CAN bus is 1 to 3, not 4."),
        ({"protocol": "elm327", "sensors": "2"}, "The level of an OBD adapter is 1, not 2."),
        ({"protocol": "modbus", "sensors": "248"}, "The address of a sensor is 1 to 247, not 248."),
        ({"sensors": f"1 = {'K' * 41} / left"}, "The plate behind sensor 1 is longer than 40 characters."),
        ({"sensors": f"1 = {'k' * 101}"}, "The tank behind sensor 1 is longer than 100 characters."),
        ({"sensors": ",".join(map(str, range(1, 40)))}, "More than 32 sensors do not fit on one line."),
    ],
)
def test_a_fault_lands_at_the_field_with_its_own_sentence(entered: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsRefused) as found:
        validate(CATALOGUE, "fuel_monitoring", {"port": "/dev/ttyUSB0", **entered}, {})
    assert [(fault.field, fault.why) for fault in found.value.faults] == [("sensors", words)]


def test_units_follow_the_kind_of_source() -> None:
    assert FuelSettings(port="x", unit="litres_10").level_unit == "litres"
    assert FuelSettings(port="x", unit="litres_10").per_unit == 10
    assert FuelSettings(port="x", protocol="slcan", unit="litres_10").level_unit == "percent"
    assert FuelSettings(port="x", protocol="elm327").line_speed == 38_400
    assert FuelSettings(port="x", protocol="modbus", speed="19200").line_speed == 19_200
    with pytest.raises(ValidationError):
        FuelSettings(port="x", period_s=0.01)
