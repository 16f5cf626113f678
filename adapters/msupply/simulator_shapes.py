"""Shapes of the simulated mSupply's records: times as it writes them, statuses in its order, papers before anything
is on them.
"""

from __future__ import annotations

from datetime import UTC, datetime

from adapters.msupply.simulator_catalogue import Node

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
STATUS_ORDER = ("NEW", "ALLOCATED", "PICKED", "SHIPPED", "DELIVERED", "RECEIVED", "VERIFIED")
MOMENT_OF = {status: f"{status.lower()}Datetime" for status in STATUS_ORDER[1:]}


def moment(at_ms: int) -> str:
    """A ``DateTime`` as the server writes it; texts of it sort like the times."""
    seconds, millis = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def day(at_ms: int) -> str:
    return f"{datetime.fromtimestamp(at_ms / 1000, UTC):%Y-%m-%d}"


def blank_requisition(now_ms: int, other: Node) -> Node:
    """A requisition between a store and ``other``, without lines."""
    return {
        "__typename": "RequisitionNode",
        "approvalStatus": "NONE",
        "isEmergency": False,
        "otherPartyId": other["id"],
        "otherPartyName": other["name"],
        "theirReference": None,
        "comment": None,
        "createdDatetime": moment(now_ms),
        "sentDatetime": None,
        "finalisedDatetime": None,
        "expectedDeliveryDate": None,
        "minMonthsOfStock": 1.0,
        "maxMonthsOfStock": 3.0,
        "orderType": None,
        "programName": None,
        "period": None,
        "_linked": "",
        "_lines": {},
    }


def blank_invoice(now_ms: int, other: Node) -> Node:
    """A new invoice between a store and ``other``, without lines."""
    return {
        "__typename": "InvoiceNode",
        "status": "NEW",
        "onHold": False,
        "otherPartyId": other["id"],
        "otherPartyName": other["name"],
        "theirReference": None,
        "transportReference": None,
        "comment": None,
        "createdDatetime": moment(now_ms),
        "cancelledDatetime": None,
        "expectedDeliveryDate": None,
        "programId": None,
        "_linked": "",
        "_requisition": "",
        "_lines": {},
        **dict.fromkeys(MOMENT_OF.values()),
    }
