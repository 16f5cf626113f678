"""Every table of the store, one class each, by room.

Entities (integrations, devices, vehicles, tanks, geofences) carry a UUIDv7 ``id`` that is the same on every site; where
telemetry points at them they also have a small integer ``key`` of this store. Telemetry has integer ids and a
natural unique key, so that a repeated frame is stored once. Times of telemetry are milliseconds since 1970 UTC
(``…_ms``, docs/decisions/0003), all others aware UTC times. ``changed_version`` is the version of the row's topic
in ``changes`` when the row was last written: a page re-reads what is newer than what it has.
"""

from app.store.tables.alarms import Alarm, AlarmRule, AlarmSpell
from app.store.tables.core import (
    Act,
    Change,
    Command,
    Cursor,
    Integration,
    IntegrationDay,
    IntegrationLog,
    IntegrationState,
    Problem,
    RejectedRecord,
    StoreFact,
)
from app.store.tables.fleet import (
    Device,
    DeviceAssignment,
    DeviceEventRow,
    DeviceState,
    GeofenceRow,
    PositionRow,
    RawFrameRow,
    Vehicle,
)
from app.store.tables.fuel import (
    Calibration,
    EngineReadingRow,
    FuelDay,
    FuelEventRow,
    FuelParameters,
    FuelReadingRow,
    FuelReceipt,
    FuelSensor,
    FuelSensorSpell,
    FuelSensorUnit,
    SensorProfile,
    Tank,
)
from app.store.tables.identity import (
    IdentityAct,
    IdentityDecline,
    IdentityLink,
    IdentityRow,
    IdentitySuggestion,
)
from app.store.tables.supply import (
    FacilityRow,
    ItemRow,
    PeriodRow,
    ProgramRow,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentLineRow,
    ShipmentRow,
    StockLineRow,
)
from app.store.tables.sync import ConflictRow, InboxMessage, OutboxItem, StreamState

__all__ = [
    "Act",
    "Alarm",
    "AlarmRule",
    "AlarmSpell",
    "Calibration",
    "Change",
    "Command",
    "ConflictRow",
    "Cursor",
    "Device",
    "DeviceAssignment",
    "DeviceEventRow",
    "DeviceState",
    "EngineReadingRow",
    "FacilityRow",
    "FuelDay",
    "FuelEventRow",
    "FuelParameters",
    "FuelReadingRow",
    "FuelReceipt",
    "FuelSensor",
    "FuelSensorSpell",
    "FuelSensorUnit",
    "GeofenceRow",
    "IdentityAct",
    "IdentityDecline",
    "IdentityLink",
    "IdentityRow",
    "IdentitySuggestion",
    "InboxMessage",
    "Integration",
    "IntegrationDay",
    "IntegrationLog",
    "IntegrationState",
    "ItemRow",
    "OutboxItem",
    "PeriodRow",
    "PositionRow",
    "Problem",
    "ProgramRow",
    "RawFrameRow",
    "RejectedRecord",
    "RequisitionLineRow",
    "RequisitionRow",
    "SensorProfile",
    "ShipmentLineRow",
    "ShipmentRow",
    "StockLineRow",
    "StoreFact",
    "StreamState",
    "Tank",
    "Vehicle",
]
