"""Drivers' phones among the devices: a source of positions that is no tracker and stands for no vehicle.

A driver platform names with each position the driver, not the phone (biko.md 4.9), so a phone is the device of its
integration that is named after the driver.
"""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, select

from app.store.tables import Device, DriverRow

PHONE = "driver-"
"""Before the driver's id in the unique id of their phone, in every driver platform's integration."""


def is_phone() -> ColumnElement[bool]:
    """Of a row of ``devices``: whether it is a driver's phone. Where nothing has drivers, that name says nothing."""
    drivers = select(DriverRow.key).where(DriverRow.integration_id == Device.integration_id)
    return and_(Device.unique_id.startswith(PHONE, autoescape=True), drivers.correlate(Device).exists())


def driver_of_phone(unique_id: str) -> str:
    """The driver's id at the platform, "" for a tracker that is no phone of a driver."""
    return unique_id.removeprefix(PHONE) if unique_id.startswith(PHONE) else ""
