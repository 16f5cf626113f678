"""Refusals of open mSupply in the operator's words (msupply.md, section 7, table of error types)."""

from __future__ import annotations

from collections.abc import Mapping

REFUSALS: Mapping[str, str] = {
    "CannotReverseInvoiceStatus": "It is further on in mSupply already. Take mSupply's status over.",
    "CannotChangeStatusOfInvoiceOnHold": "It is on hold in mSupply. Release it there, then send this again.",
    "CanOnlyChangeToAllocatedWhenNoUnallocatedLines": "Some of its lines have no stock chosen yet{lines}. Choose "
    "batches for them in mSupply, then send this again.",
    "CannotHaveEstimatedDeliveryDateBeforeShippedDate": "The expected day lies before the day of shipping. Correct the "
    "day, then send this again.",
    "InvoiceIsNotEditable": "It is final in mSupply and can no longer be changed. Give this change up.",
    "CannotEditInvoice": "It is final in mSupply and can no longer be changed. Give this change up.",
    "CannotEditRequisition": "The requisition is closed or sent in mSupply and can no longer be changed. Give this "
    "change up.",
    "NotAnOutboundShipmentError": "mSupply knows this record as something else than an outbound shipment. Read the "
    "shipments again.",
    "NotAnInboundShipment": "mSupply knows this record as something else than an inbound shipment. Read the shipments "
    "again.",
    "RecordNotFound": "mSupply has no such record any more: it was deleted there. Give this change up.",
    "OtherPartyNotACustomer": "The other store is no customer of this one in mSupply. Correct that there.",
    "OtherPartyNotASupplier": "The other store is no supplier of this one in mSupply. Correct that there.",
    "OtherPartyNotVisible": "The other store is not visible to this one in mSupply. Correct that there.",
    "NotEnoughStockForReduction": "The stock changed meanwhile: there is not enough. Read the stock again and choose "
    "another quantity.",
    "StockLineIsOnHold": "The batch is on hold in mSupply. Choose another, or release it there.",
    "LocationIsOnHold": "The place where the stock lies is on hold in mSupply. Release it there.",
    "CannotReceiveWithPendingLines": "Lines of it are still pending in the receiving store. They are settled there.",
    "OrderingTooManyItems": "An emergency order may not hold so many items. Take lines out in mSupply.",
    "RequisitionReasonsNotProvided": "The programme wants a reason for each changed quantity. Enter them in mSupply.",
}

FINAL = frozenset({"InvoiceIsNotEditable", "CannotEditInvoice", "CannotEditRequisition", "CannotReverseInvoiceStatus"})
"""After these the record is read again: the work may be done already (section 8)."""

DONE = frozenset({"NothingRemainingToSupply"})


def refusal(kind: str, description: str, lines: int = 0) -> str:
    """The sentence for one typed error; the server's own description where we have none."""
    told = REFUSALS.get(kind)
    if told is None:
        said = description.rstrip(".") or kind or "no reason given"
        return f"mSupply refuses the change: {said}. Correct the record there, or give this change up."
    return told.format(lines=f" ({lines})" if lines else "")
