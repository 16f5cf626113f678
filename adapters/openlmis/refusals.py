"""What a refusal means to the operator, by the services' message keys. The key stays in the sentence, for rules."""

from __future__ import annotations

from adapters.errors import RecordRejected
from adapters.openlmis.client import Refused

_SENTENCES: dict[str, str] = {
    # part of a message key: sentence
    "requestedQuantityExplanationRequired": "A requested quantity that differs from the calculated one needs an "
    "explanation. Enter it as the comment of that line, then send again.",
    "mustBeNonNegative": "A quantity is negative. Correct it, then send again.",
    "onlyAvailableForApproval": "Approved quantities can be entered only while the requisition waits for approval.",
    "canNotUpdateWithStatus": "The requisition can no longer be changed in its present status.",
    "valueMustBeEntered": "A figure of the form is missing. Fill in all lines, then send again.",
    "errorPeriodEndDateWrong": "The period has not ended yet. Send again after its last day.",
    "noPermissionForSupervisoryNode": "This account may not approve at this level. Somebody with that right must.",
    "noFollowingPermission": "This account lacks the right. Ask the OpenLMIS administrator for it, then retry.",
    "programDoesNotAllowSkip": "This programme does not allow a period to be skipped.",
    "stockOnHand.insufficient": "There is less stock on hand than the quantity. Correct stock or quantity first.",
    "proofOfDelivery.confirmed": "The proof of delivery is confirmed already and cannot be changed again.",
    "proofOfDelivery.quantity.sum": "Accepted and rejected quantities must together equal what was shipped. Correct "
    "the lines, then confirm again.",
    "proofOfDelivery.reason.required": "A rejected quantity needs a reason. Enter it in the line, then confirm again.",
    "proofOfDelivery.field.required": "Who delivered, who received and the day must be filled in before confirming.",
    "vvmStatus.required": "Vaccines with a vial monitor need its status, which is entered in OpenLMIS itself.",
    "shipment.order.duplicated": "OpenLMIS already has a shipment for this order; there can be only one.",
    "shipment.order.status": "The order can no longer be shipped in its present status.",
}
_BY_STATUS = {
    403: "OpenLMIS does not allow this account to do that. Ask its administrator for the right, then retry.",
    404: "OpenLMIS does not have this record any more. Look there whether it was deleted, then cancel the change.",
    413: "The change is larger than the proxy before OpenLMIS takes. Ask its administrator to raise the limit.",
}


def rejected(record: str, err: Refused) -> RecordRejected:
    """The refusal of one change, in the operator's words, with the server's own and the key behind them."""
    sentence = next((text for key, text in _SENTENCES.items() if key in err.key), "") or _BY_STATUS.get(err.status, "")
    theirs = err.said.rstrip(".") or "no reason given"
    key = f" [{err.key}]" if err.key else ""
    if not sentence:
        return RecordRejected(
            record, f"OpenLMIS refused the change: {theirs}{key}. Correct it here or there, then retry."
        )
    return RecordRejected(record, f"{sentence} OpenLMIS says: {theirs}{key}.")
