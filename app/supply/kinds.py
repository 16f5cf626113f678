"""One description per kind of supply or dispatch record: its table, its columns, its lines, and whose it is.

What is described here is all that the merge knows of a kind; a new one needs an entry of :data:`KINDS` and no more.
The columns that hold a peer's values are those of the table that the record has a field for, by the same name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, or_

from adapters.dispatch import (
    BatchPaper,
    BatchStop,
    DeliveryBatch,
    DeliveryEvent,
    DispatchRun,
    Driver,
    DriverDevice,
    DriverLink,
    DriverSession,
    FleetVehicle,
    Invitation,
    OnboardingRequest,
    OneTimeCode,
    Workspace,
)
from adapters.supply import (
    Facility,
    Item,
    Kind,
    Period,
    Program,
    Requisition,
    RequisitionLine,
    Shipment,
    ShipmentLine,
    StockLine,
)
from app.store.columns import Base
from app.store.tables import (
    BatchPaperRow,
    BatchStopRow,
    DeliveryBatchRow,
    DeliveryEventRow,
    DispatchRunRow,
    DriverDeviceRow,
    DriverLinkRow,
    DriverRow,
    DriverSessionRow,
    FacilityRow,
    FleetVehicleRow,
    InvitationRow,
    ItemRow,
    OnboardingRequestRow,
    OneTimeCodeRow,
    PeriodRow,
    ProgramRow,
    RequisitionLineRow,
    RequisitionRow,
    ShipmentLineRow,
    ShipmentRow,
    StockLineRow,
    WorkspaceRow,
)
from app.supply.values import Unstorable, content_hash, converter_of

Values = tuple[Any, ...]


class Part:
    """One table with the records that fill it. ``fields`` are its columns of the peer's values, ``peer_id`` first.

    ``parent`` names the column that points from a line to its paper, None for records that stand alone.
    """

    def __init__(self, name: str, record: type[Any], table: type[Base], parent: str | None = None) -> None:
        own = {field.name for field in fields(record)}
        columns = [column for column in table.__table__.columns if column.name in own]
        self.name = name
        self.table: Table = table.__table__
        self.parent = parent
        self.fields = tuple(column.name for column in columns)
        self.has_pending = "pending" in self.table.c
        self._read: Callable[[Any], Values] = attrgetter(*self.fields)
        self._converters = tuple(converter_of(column) for column in columns)

    def values_of(self, record: Any) -> Values:
        """The record as its columns hold it. Raises :class:`Unstorable` with a sentence."""
        told = self._read(record)
        try:
            return tuple([convert(value) for convert, value in zip(self._converters, told, strict=True)])
        except Unstorable:
            for name, convert, value in zip(self.fields, self._converters, told, strict=True):
                try:
                    convert(value)
                except Unstorable as err:
                    raise Unstorable(f"Its {name} {err}.") from None
            raise

    def hash_of(self, values: Values) -> bytes:
        return content_hash(values)

    def __repr__(self) -> str:
        return f"Part({self.name})"


@dataclass(frozen=True, eq=False)
class KindOf:
    """A kind of record that stands alone.

    ``facility_columns`` say whose a record is, for complete readings of one facility: one column name, or
    by the value of ``side``. Empty: records of this kind belong to no facility.
    """

    kind: Kind
    record: type[Any]
    part: Part
    topic: str
    lines: Part | None = None
    facility_columns: Mapping[str, str] | str = ""

    def facility_of(self, values: Values) -> str:
        """The peer id of the facility whose record this is, "" for none."""
        column = self.facility_columns
        if isinstance(column, Mapping):
            column = column.get(values[self.part.fields.index("side")], "")
        return str(values[self.part.fields.index(column)]) if column else ""

    def is_of(self, facility: str) -> ColumnElement[bool] | None:
        """The condition for rows of one facility; None where rows belong to none."""
        columns, own = self.part.table.c, self.facility_columns
        if isinstance(own, Mapping):
            return or_(*(and_(columns.side == side, columns[name] == facility) for side, name in own.items()))
        return columns[own] == facility if own else None


def _alone(kind: Kind, record: type[Any], table: type[Base], topic: str) -> KindOf:
    """A kind without lines, whose records belong to no facility."""
    return KindOf(kind, record, Part(kind, record, table), topic)


KINDS: tuple[KindOf, ...] = (
    KindOf("facility", Facility, Part("facility", Facility, FacilityRow), "facilities"),
    KindOf("program", Program, Part("program", Program, ProgramRow), "facilities"),
    KindOf("period", Period, Part("period", Period, PeriodRow), "facilities"),
    KindOf("item", Item, Part("item", Item, ItemRow), "items"),
    KindOf("stock_line", StockLine, Part("stock_line", StockLine, StockLineRow), "stock", facility_columns="facility"),
    KindOf(
        "requisition",
        Requisition,
        Part("requisition", Requisition, RequisitionRow),
        "requisitions",
        Part("requisition_line", RequisitionLine, RequisitionLineRow, "requisition"),
        {"request": "facility", "response": "supplier"},
    ),
    KindOf(
        "shipment",
        Shipment,
        Part("shipment", Shipment, ShipmentRow),
        "shipments",
        Part("shipment_line", ShipmentLine, ShipmentLineRow, "shipment"),
        {"outbound": "sender", "inbound": "receiver"},
    ),
    _alone("workspace", Workspace, WorkspaceRow, "drivers"),
    _alone("driver", Driver, DriverRow, "drivers"),
    _alone("driver_link", DriverLink, DriverLinkRow, "drivers"),
    _alone("one_time_code", OneTimeCode, OneTimeCodeRow, "drivers"),
    _alone("onboarding_request", OnboardingRequest, OnboardingRequestRow, "drivers"),
    _alone("invitation", Invitation, InvitationRow, "drivers"),
    _alone("driver_device", DriverDevice, DriverDeviceRow, "drivers"),
    _alone("driver_session", DriverSession, DriverSessionRow, "drivers"),
    _alone("fleet_vehicle", FleetVehicle, FleetVehicleRow, "batches"),
    KindOf(
        "delivery_batch",
        DeliveryBatch,
        Part("delivery_batch", DeliveryBatch, DeliveryBatchRow),
        "batches",
        Part("batch_stop", BatchStop, BatchStopRow, "batch"),
    ),
    _alone("batch_paper", BatchPaper, BatchPaperRow, "batches"),
    _alone("dispatch_run", DispatchRun, DispatchRunRow, "batches"),
    _alone("delivery_event", DeliveryEvent, DeliveryEventRow, "deliveries"),
)
"""Programs and periods are read wherever facilities are, and raise the same topic."""

OF_RECORD: Mapping[type[Any], KindOf] = {kind.record: kind for kind in KINDS}
OF_NAME: Mapping[str, KindOf] = {kind.kind: kind for kind in KINDS}
