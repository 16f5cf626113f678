"""The supply tables: what the peers hold, as they last told it, with what waits to be sent laid over it.

Every row knows its integration and its id there (``peer_id``); rows point at each other by peer ids within the
integration. The columns of a kind are the fields of its record in :mod:`adapters.supply` and mean the same. They
hold the peer's values only: a change made here stands in ``outbox_items``, and in the row's ``pending`` as {field:
value} until the peer has accepted it. ``content_hash`` is over the peer's values; a row that came again unchanged
is not written.
"""

from sqlalchemy import JSON, Boolean, Double, Index, String, Text, UniqueConstraint

from app.store.columns import Base, as_told, column, mirrored, optional
from app.store.types import Key


class FacilityRow(Base):
    __tablename__ = "facilities"

    key, id, integration_id, peer_id = mirrored()
    code = column(String(100), default="")
    name = column(String(300), default="")
    kind = column(String(16))
    is_ours = column(Boolean)
    is_active = column(Boolean)
    zone = column(String(200), default="")
    lat = optional(Double)
    lon = optional(Double)
    attributes = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)


class ProgramRow(Base):
    __tablename__ = "programs"

    key, id, integration_id, peer_id = mirrored()
    code = column(String(100), default="")
    name = column(String(300), default="")
    is_active = column(Boolean)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)


class PeriodRow(Base):
    __tablename__ = "periods"

    key, id, integration_id, peer_id = mirrored()
    name = column(String(300), default="")
    starts_on = column(String(10))
    ends_on = column(String(10))
    schedule = column(String(200), default="")
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (UniqueConstraint("integration_id", "peer_id"),)


class ItemRow(Base):
    __tablename__ = "items"

    key, id, integration_id, peer_id = mirrored()
    code = column(String(100), default="")
    name = column(String(300), default="")
    unit = column(String(60), default="")
    pack_size = column(Double)
    is_active = column(Boolean)
    version = column(String(60), default="")
    programs = column(JSON)
    attributes = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_items_code", "code"),
        Index("ix_items_name", "name"),
    )


class StockLineRow(Base):
    __tablename__ = "stock_lines"

    key, id, integration_id, peer_id = mirrored()
    facility = column(String(200))
    item = column(String(200))
    units = column(Double)
    available_units = optional(Double)
    batch = column(String(100), default="")
    expires_on = optional(String(10))
    pack_size = column(Double)
    location = column(String(100), default="")
    program = column(String(200), default="")
    is_on_hold = column(Boolean)
    average_monthly_units = optional(Double)
    attributes = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_stock_lines_integration_id_facility_item", "integration_id", "facility", "item"),
        Index("ix_stock_lines_item", "integration_id", "item"),
        Index("ix_stock_lines_expires_on", "expires_on"),
    )


class RequisitionRow(Base):
    __tablename__ = "requisitions"

    key, id, integration_id, peer_id = mirrored()
    number = column(String(60), default="")
    side = column(String(8))
    status = column(String(40))
    stage = column(String(16), index=True)
    facility = column(String(200))
    supplier = column(String(200), default="")
    program = column(String(200), default="")
    period = column(String(200), default="")
    is_emergency = column(Boolean)
    created_ms = optional(Key)
    sent_ms = optional(Key)
    closed_ms = optional(Key)
    changed_ms = optional(Key)
    reference = column(String(300), default="")
    comment = column(Text, default="")
    version = column(String(60), default="")
    attributes = optional(JSON)
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_requisitions_created_ms", "created_ms"),
    )


class RequisitionLineRow(Base):
    __tablename__ = "requisition_lines"

    key, id, integration_id, peer_id = mirrored()
    requisition = column(String(200))  # its requisition's peer id
    item = column(String(200))
    requested_units = optional(Double)
    approved_units = optional(Double)
    supply_units = optional(Double)
    suggested_units = optional(Double)
    stock_units = optional(Double)
    opening_units = optional(Double)
    received_units = optional(Double)
    consumed_units = optional(Double)
    adjusted_units = optional(Double)
    stockout_days = optional(Double)
    average_monthly_units = optional(Double)
    comment = column(Text, default="")
    attributes = optional(JSON)
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "requisition", "peer_id"),
        Index("ix_requisition_lines_item", "integration_id", "item"),
    )


class ShipmentRow(Base):
    __tablename__ = "shipments"

    key, id, integration_id, peer_id = mirrored()
    number = column(String(60), default="")
    side = column(String(8))
    status = column(String(40))
    stage = column(String(16), index=True)
    sender = column(String(200))
    receiver = column(String(200))
    requisition = column(String(200), default="")
    program = column(String(200), default="")
    is_on_hold = column(Boolean)
    created_ms = optional(Key)
    allocated_ms = optional(Key)
    picked_ms = optional(Key)
    shipped_ms = optional(Key)
    delivered_ms = optional(Key)
    received_ms = optional(Key)
    verified_ms = optional(Key)
    expected_on = optional(String(10))
    transport_reference = column(String(300), default="")
    reference = column(String(300), default="")
    received_by = column(String(200), default="")
    delivered_by = column(String(200), default="")
    received_on = optional(String(10))
    comment = column(Text, default="")
    version = column(String(60), default="")
    attributes = optional(JSON)
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "peer_id"),
        Index("ix_shipments_created_ms", "created_ms"),
    )


class ShipmentLineRow(Base):
    __tablename__ = "shipment_lines"

    key, id, integration_id, peer_id = mirrored()
    shipment = column(String(200))  # its shipment's peer id
    item = column(String(200))
    units = column(Double)
    batch = column(String(100), default="")
    expires_on = optional(String(10))
    pack_size = column(Double)
    accepted_units = optional(Double)
    rejected_units = optional(Double)
    rejection_reason = column(String(300), default="")
    is_placeholder = column(Boolean)
    comment = column(Text, default="")
    attributes = optional(JSON)
    pending = optional(JSON)
    content_hash, gone_at, changed_version = as_told()

    __table_args__ = (
        UniqueConstraint("integration_id", "shipment", "peer_id"),
        Index("ix_shipment_lines_item", "integration_id", "item"),
    )
