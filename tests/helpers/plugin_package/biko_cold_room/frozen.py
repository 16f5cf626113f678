"""An integration whose driver library is not installed."""

from __future__ import annotations

import thermometer_driver_that_nobody_has as driver  # type: ignore[import-not-found]

FrozenRoomAdapter = driver.Adapter
