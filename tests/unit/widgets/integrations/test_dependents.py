"""What is said before an integration is switched off."""

from __future__ import annotations

import pytest

from app.integrations import Dependents
from widgets.integrations.acts import _falls_silent


@pytest.mark.parametrize(
    ("devices", "phones", "said"),
    [
        (3, 0, ["3 trackers fall silent."]),
        (1, 0, ["1 tracker falls silent."]),
        (12, 12, ["12 drivers' phones are not heard."]),
        (3, 1, ["2 trackers fall silent.", "1 driver's phone is not heard."]),
        (0, 0, ["No tracker, vehicle or geofence depends on it."]),
    ],
)
def test_phones_are_no_trackers_that_fall_silent(devices: int, phones: int, said: list[str]) -> None:
    found = Dependents(devices, 0, (), devices * 10, 0, 0, 0, phones=phones)
    assert _falls_silent(found).splitlines() == said
