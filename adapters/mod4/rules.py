"""What each feature needs of the database: the table from which :mod:`adapters.mod4.features` judges.

A feature has ways, best first; the first that holds is taken. Tables, columns and functions are those of biko.md,
sections 3 and 4; what is read when it is there, but not needed, is not listed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Actor = Literal["", "any", "admin"]
Columns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Way:
    """One way to serve a feature. ``triggers`` are tables with the kind of change that must not fail there, and
    ``status`` the one that is set: a trigger may look at it first."""

    name: str
    reads: Columns = field(default_factory=dict)
    updates: Columns = field(default_factory=dict)
    inserts: Columns = field(default_factory=dict)
    calls: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    triggers: Mapping[str, str] = field(default_factory=dict)
    status: str = ""
    actor: Actor = ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A feature: what operators call it, and what is not possible without it. ``stream`` is what it fills."""

    key: str
    label: str
    without: str
    ways: tuple[Way, ...]
    stream: str = ""


_MEMBERS: Columns = {"workspace_members": ("workspace_id", "user_id")}
_LINK: Columns = {"mod4_driver_links": ("id", "user_id", "driver_id", "status"), **_MEMBERS}
_BATCH: Columns = {"delivery_batches": ("id", "name", "status", "workspace_id", "driver_id", "vehicle_id")}
_RUN: Columns = {"dispatch_runs": ("id", "workspace_id", "batch_id", "status")}
_CODE: Columns = {"mod4_otp_codes": ("id", "target_email", "status", "workspace_id", "created_at", "expires_at")}
_INVITATION: Columns = {"user_invitations": ("id", "email", "workspace_id", "status", "expires_at")}

RULES: tuple[Rule, ...] = (
    Rule("workspaces", "Workspaces", "Nothing can be read.",
         (Way("table", {"workspaces": ("id", "name")}),), "workspaces"),
    Rule("drivers", "Drivers", "No drivers are shown.",
         (Way("table", {"drivers": ("id", "name", "workspace_id")}),), "drivers"),
    Rule("links", "Linked users", "Linked users are not shown.",
         (Way("function", calls={"get_mod4_linked_users": ("p_workspace_id",)}), Way("table", _LINK)), "links"),
    Rule("change_links", "Suspend, revoke and activate links", "Links cannot be changed from here.",
         (Way("table", _LINK, {"mod4_driver_links": ("status",)}, triggers={"mod4_driver_links": "u"}),)),
    Rule("link_directly", "Link an account directly", "Accounts cannot be linked without invitation or code.",
         (Way("function", calls={"link_user_to_mod4": ("p_user_id", "p_link_method", "p_workspace_id")},
              actor="any"),)),
    Rule("codes", "Pending codes", "Pending codes are not shown.",
         (Way("table", _CODE),),
         "codes"),
    Rule("make_code", "Generate one-time codes", "No codes can be made.",
         (Way("function", calls={"generate_mod4_otp": ("p_email", "p_workspace_id")}, actor="any"),)),
    Rule("expire_code", "End a code", "Pending codes cannot be ended before their time.",
         (Way("table", _CODE, {"mod4_otp_codes": ("status",)}, triggers={"mod4_otp_codes": "u"}),)),
    Rule("requests", "Onboarding requests", "Requests for access are not shown.",
         (Way("table", {"onboarding_requests": ("id", "full_name", "status", "created_at")}),), "requests"),
    Rule("decide_requests", "Approve and reject requests", "Requests cannot be decided from here.",
         (Way("table", {"onboarding_requests": ("id", "status")},
              {"onboarding_requests": ("status", "reviewed_by", "reviewed_at")},
              triggers={"onboarding_requests": "u"}, actor="any"),)),
    Rule("invitations", "Sent invitations", "Invitations are not shown.", (Way("table", _INVITATION),), "invitations"),
    Rule("invite", "Invite by e-mail", "Nobody can be invited from here.",
         (Way("function", calls={"invite_user": ("p_email", "p_workspace_id", "p_role_code", "p_workspace_role")},
              actor="admin"),)),
    Rule("revoke_invitation", "Revoke invitations", "Invitations cannot be revoked from here.",
         (Way("function", _INVITATION, calls={"revoke_invitation": ("p_invitation_id",)}, actor="admin"),
          Way("table", _INVITATION, {"user_invitations": ("status",)}, triggers={"user_invitations": "u"},
              actor="admin"))),
    Rule("invitation_link", "Links of invitations", "Links of invitations cannot be copied.",
         (Way("table", {"user_invitations": (*_INVITATION["user_invitations"], "invitation_token")}),)),
    Rule("devices", "Drivers' phones", "Registered phones are not shown.",
         (Way("function", calls={"get_driver_devices": ("p_workspace_id",)}),
          Way("table", {"driver_devices": ("id", "user_id", "device_id", "is_trusted"), **_MEMBERS})), "devices"),
    Rule("revoke_devices", "Revoke phones", "Phones cannot be revoked from here.",
         (Way("table", {"driver_devices": ("id", "user_id", "is_trusted", "revoked_at"), **_MEMBERS},
              {"driver_devices": ("is_trusted", "revoked_at")}, triggers={"driver_devices": "u"}),)),
    Rule("sessions", "Sessions", "Sessions of drivers are not shown.",
         (Way("table", {"driver_sessions": ("id", "driver_id", "device_id", "status", "started_at"), **_MEMBERS}),),
         "sessions"),
    Rule("end_sessions", "End sessions", "Sessions of drivers cannot be ended from here.",
         (Way("function", {"driver_sessions": ("id", "driver_id", "status"), **_MEMBERS},
              calls={"end_driver_session": ("p_session_id", "p_end_reason")}),)),
    Rule("vehicles", "Vehicles", "The platform's vehicles are not shown.",
         (Way("table", {"vehicles": ("id", "plate_number", "workspace_id")}),), "vehicles"),
    Rule("facilities", "Facilities", "Stops have no names and places.",
         (Way("table", {"facilities": ("id", "name")}),), "facilities"),
    Rule("warehouses", "Warehouses", "Batches do not say where they begin.",
         (Way("table", {"warehouses": ("id", "name")}),), "facilities"),
    Rule("batches", "Batches and stops", "No batches are shown.",
         (Way("table", {"delivery_batches": ("id", "name", "status", "workspace_id", "facility_ids")}),), "batches"),
    Rule("assign", "Assign batches", "Batches cannot be assigned from here.",
         (Way("function", _BATCH, calls={"assign_driver_to_batch": ("p_batch_id", "p_driver_id")},
              triggers={"delivery_batches": "u"}, status="assigned"),
          Way("table", _BATCH, {"delivery_batches": ("driver_id", "status")},
              triggers={"delivery_batches": "u"}, status="assigned"))),
    Rule("assign_vehicle", "Assign vehicles", "Vehicles cannot be assigned from here.",
         (Way("table", _BATCH, {"delivery_batches": ("vehicle_id",)},
              triggers={"delivery_batches": "u"}, status="assigned"),)),
    Rule("start", "Start batches", "Batches cannot be started.",
         (Way("function", _BATCH, calls={"start_dispatch": ("p_batch_id",)},
              triggers={"delivery_batches": "u"}, status="in-progress"),
          Way("table", _BATCH, {"delivery_batches": ("status", "actual_start_time")},
              triggers={"delivery_batches": "u"}, status="in-progress"))),
    Rule("complete", "Complete batches", "Batches cannot be completed.",
         (Way("function", _BATCH, calls={"complete_dispatch": ("p_batch_id",)},
              triggers={"delivery_batches": "u"}, status="completed"),
          Way("table", _BATCH, {"delivery_batches": ("status", "actual_end_time")},
              triggers={"delivery_batches": "u"}, status="completed"))),
    Rule("cancel", "Cancel batches", "Batches cannot be cancelled from here.",
         (Way("table", _BATCH, {"delivery_batches": ("status",)},
              triggers={"delivery_batches": "u"}, status="cancelled"),)),
    Rule("papers", "Papers in batches", "Which papers travel in a batch is not known.",
         (Way("table", {"batch_invoice_links": ("batch_id",)}),
          Way("requisitions", {"requisitions": ("id", "batch_id")})),
         "papers"),
    Rule("runs", "Dispatch runs", "Dispatch runs are not shown.", (Way("table", _RUN),), "runs"),
    Rule("new_runs", "Make dispatch runs", "No dispatch runs can be made from here.",
         (Way("table", _RUN, inserts={"dispatch_runs": ("workspace_id", "batch_id")},
              triggers={"dispatch_runs": "i"}),)),
    Rule("change_runs", "Dispatch, finish and cancel runs", "Dispatch runs cannot be changed from here.",
         (Way("table", _RUN, {"dispatch_runs": ("status",)}, triggers={"dispatch_runs": "u"}),)),
    Rule("events", "Events of deliveries", "Deliveries and their proofs do not arrive.",
         (Way("table", {"mod4_events": ("event_id", "event_type", "driver_id", "captured_at", "metadata")}),),
         "events"),
    Rule("route_history", "Records of stops", "Arrivals and recipients of stops do not arrive.",
         (Way("table", {"route_history": ("id", "batch_id", "facility_id", "status")}),), "events"),
    Rule("delivery_logs", "Delivery log", "Quantities of the delivery log do not arrive.",
         (Way("table", {"delivery_logs": ("id", "batch_id", "event_type", "created_at")}),), "events"),
    Rule("driver_events", "States of drivers", "Arrivals and delays that drivers report do not arrive.",
         (Way("table", {"driver_events": ("id", "driver_id", "batch_id", "event_type", "recorded_at")}),), "events"),
    Rule("positions", "Positions of phones", "Drivers' phones are not on the map.",
         (Way("table", {"driver_gps_events": ("id", "driver_id", "lat", "lng", "captured_at")}),), "positions"),
)  # fmt: skip

BY_KEY = {rule.key: rule for rule in RULES}
