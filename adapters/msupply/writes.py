"""What may be written back to open mSupply (msupply.md, sections 6 and 8); everything else belongs to mSupply."""

from __future__ import annotations

from adapters.base import Write

NOT_EDITABLE = "In mSupply nothing of the shipment can be changed any more after this, not even its comment."

WRITES: tuple[Write, ...] = (
    Write(
        name="supply_quantity",
        label="Quantity to supply",
        record="requisition_line",
        fields=("supply_units",),
        stages=("submitted", "approved", "ordered"),
        sides=("response",),
    ),
    Write(
        name="requested_quantity",
        label="Quantity to ask for",
        record="requisition_line",
        fields=("requested_units",),
        stages=("draft",),
        sides=("request",),
    ),
    Write(
        name="requisition_comment",
        label="Comment",
        record="requisition",
        fields=("comment",),
        stages=("draft", "submitted", "approved", "ordered"),
    ),
    Write(
        name="send_request",
        label="Send to the supplying store",
        record="requisition",
        fields=("stage",),
        stages=("draft",),
        values={"stage": ("submitted",)},
        effect="The supplying store receives the requisition, and its lines can no longer be changed.",
        sides=("request",),
    ),
    Write(
        name="close_response",
        label="Finish",
        record="requisition",
        fields=("stage",),
        stages=("submitted", "approved", "ordered"),
        values={"stage": ("closed",)},
        effect="Nothing more can be supplied on this requisition, and it cannot be opened again.",
        sides=("response",),
    ),
    Write(
        name="shipment_details",
        label="Transport reference, expected day, comment",
        record="shipment",
        fields=("transport_reference", "expected_on", "comment"),
        stages=("new", "allocated", "picked"),
        sides=("outbound",),
    ),
    Write(
        name="allocate_shipment",
        label="Allocated",
        record="shipment",
        fields=("stage", "transport_reference", "expected_on", "comment"),
        stages=("new",),
        values={"stage": ("allocated",)},
        sides=("outbound",),
    ),
    Write(
        name="pick_shipment",
        label="Picked",
        record="shipment",
        fields=("stage", "transport_reference", "expected_on", "comment"),
        stages=("new", "allocated"),
        values={"stage": ("picked",)},
        effect="The stock is taken out of the store, and a customer on the same system sees the shipment coming.",
        switch="ships",
        sides=("outbound",),
    ),
    Write(
        name="ship_shipment",
        label="Shipped",
        record="shipment",
        fields=("stage", "transport_reference", "expected_on", "comment"),
        stages=("new", "allocated", "picked"),
        values={"stage": ("shipped",)},
        effect=f"The stock is taken out of the store, if it was not before. {NOT_EDITABLE}",
        switch="ships",
        sides=("outbound",),
    ),
    Write(
        name="deliver_shipment",
        label="Delivered",
        record="shipment",
        fields=("stage",),
        stages=("shipped",),
        values={"stage": ("delivered",)},
        effect="The receiving store sees it as arrived; it counts and books the stock itself.",
        switch="receives",
    ),
)

BY_NAME = {write.name: write for write in WRITES}
