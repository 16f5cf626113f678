"""What may be changed at the platform, by the rules of its document (biko.md, sections 2, 3.7, 4.4 and 4.5)."""

from __future__ import annotations

from adapters.base import ChangedRecord, Write

_SWITCH = "changes"


def _stage(
    name: str, label: str, record: ChangedRecord, stage: str, stages: tuple[str, ...], *more: str, effect: str = ""
) -> Write:
    """A write whose point is a new stage; ``more`` are fields that may go with it."""
    return Write(
        name=name,
        label=label,
        record=record,
        fields=("stage", *more),
        stages=stages,
        values={"stage": (stage,)},
        effect=effect,
        switch=_SWITCH,
    )


WRITES: tuple[Write, ...] = (
    Write(
        name="invite",
        label="Invite by e-mail",
        record="invitation",
        fields=("email",),
        switch=_SWITCH,
        makes_new=True,
    ),
    _stage("resend_invitation", "Invite again", "invitation", "pending", ("expired", "revoked")),
    _stage(
        "revoke_invitation",
        "Revoke invitation",
        "invitation",
        "revoked",
        ("pending",),
        effect="The link that was sent no longer works.",
    ),
    Write(
        name="link_directly",
        label="Link an account directly",
        record="driver_link",
        fields=("email",),
        effect="The account becomes a driver of this workspace at once, without asking its owner.",
        switch=_SWITCH,
        makes_new=True,
    ),
    _stage(
        "suspend_link",
        "Suspend",
        "driver_link",
        "suspended",
        ("active",),
        effect="The driver app shows this driver no batches until the link is activated again. Sessions stay open.",
    ),
    _stage(
        "revoke_link",
        "Revoke",
        "driver_link",
        "revoked",
        ("active", "suspended"),
        effect="The driver app can no longer be used with this account. Sessions that are open stay open.",
    ),
    _stage("activate_link", "Activate again", "driver_link", "active", ("suspended", "revoked")),
    _stage("approve_request", "Approve", "onboarding_request", "approved", ("pending",), "notes"),
    _stage("reject_request", "Reject", "onboarding_request", "rejected", ("pending",), "notes"),
    _stage(
        "revoke_device",
        "Revoke phone",
        "driver_device",
        "revoked",
        ("trusted",),
        effect="The driver app signs this phone out at its next start; it must be activated anew.",
    ),
    _stage(
        "end_session",
        "End sign-in",
        "driver_session",
        "ended",
        ("open",),
        effect="The driver counts as available from then on, and has to sign in again.",
    ),
    Write(
        name="assign_batch",
        label="Assign driver and vehicle",
        record="delivery_batch",
        fields=("driver", "vehicle", "stage"),
        stages=("planned", "assigned"),
        values={"stage": ("assigned",)},
        switch=_SWITCH,
    ),
    _stage(
        "start_batch",
        "Start",
        "delivery_batch",
        "in_progress",
        ("planned", "assigned"),
        effect="Stops, quantities and vehicle are frozen from then on, and its requisitions count as in transit.",
    ),
    _stage(
        "complete_batch",
        "Complete",
        "delivery_batch",
        "completed",
        ("in_progress",),
        effect="Its requisitions count as fulfilled.",
    ),
    _stage(
        "cancel_batch",
        "Cancel",
        "delivery_batch",
        "cancelled",
        ("planned", "assigned", "in_progress"),
        effect="Before the start its requisitions become ready for dispatch again; after it they stay as they are.",
    ),
    Write(
        name="new_run",
        label="New dispatch run",
        record="dispatch_run",
        fields=("batch", "driver", "vehicle", "notes"),
        switch=_SWITCH,
        makes_new=True,
    ),
    _stage("dispatch_run", "Dispatch", "dispatch_run", "dispatched", ("pending",)),
    _stage("depart_run", "In transit", "dispatch_run", "in_transit", ("dispatched",)),
    _stage("complete_run", "Complete", "dispatch_run", "completed", ("in_transit",)),
    _stage(
        "cancel_run",
        "Cancel",
        "dispatch_run",
        "cancelled",
        ("pending", "dispatched", "in_transit"),
        "cancel_reason",
    ),
)

BY_NAME = {write.name: write for write in WRITES}
