"""What is asked of the platform and what is changed there, in words that both ways in understand.

A :class:`Reading` names a table and conditions; the database way makes a SELECT of it, the way over the platform's web
service a request. Either answers with plain rows by :data:`COLUMNS`: times in milliseconds, numbers as floats, ids as
texts, None for what is missing (biko.md, sections 3 and 4).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, cast

from adapters.mod4.inventory import Inventory

Kind = Literal["text", "ms", "number", "day", "flag", "json", "texts"]
Row: TypeAlias = dict[str, Any]

NOW = "now"
"""A time as both ways write it: PostgreSQL reads the word as its transaction's time (its documentation, 8.5.1.4)."""


def kinds(**names: str) -> Mapping[str, Kind]:
    """Columns by their kinds: ``text="id name"``."""
    return {name: cast("Kind", kind) for kind, listed in names.items() for name in listed.split()}


COLUMNS: Mapping[str, Mapping[str, Kind]] = {
    "workspaces": kinds(text="id name"),
    "workspace_members": kinds(text="workspace_id user_id role status"),
    "profiles": kinds(text="id email"),
    "drivers": kinds(
        text="id workspace_id name phone email status license_number license_type shift_start shift_end employer "
        "group_name",
        day="license_expiry",
        flag="license_verified onboarding_completed",
        number="current_lat current_lng max_hours total_deliveries on_time_percentage",
        ms="location_updated_at",
    ),
    "driver_availability": kinds(text="id driver_id", day="date", flag="available"),
    "mod4_driver_links": kinds(text="id user_id driver_id status link_method linked_by", ms="linked_at"),
    "mod4_otp_codes": kinds(
        text="id workspace_id target_email status",
        number="attempts max_attempts",
        ms="created_at expires_at used_at",
    ),
    "onboarding_requests": kinds(
        text="id full_name phone email organization_hint device_id status reviewed_by reviewer_notes",
        ms="created_at reviewed_at",
    ),
    "user_invitations": kinds(
        text="id workspace_id email role_code status invited_by",
        ms="invited_at expires_at accepted_at revoked_at",
    ),
    "driver_devices": kinds(
        text="id user_id device_id device_name platform is_trusted", ms="registered_at last_seen_at revoked_at"
    ),
    "driver_sessions": kinds(
        text="id driver_id device_id status end_reason invalidation_reason vehicle_id",
        ms="started_at last_active_at last_heartbeat_at ended_at invalidated_at",
    ),
    "vehicles": kinds(
        text="id workspace_id plate_number license_plate make model type status fuel_type current_driver_id "
        "telematics_provider telematics_id",
        number="capacity",
    ),
    "warehouses": kinds(text="id workspace_id name code warehouse_code address phone contact_person", number="lat lng"),
    "facilities": kinds(text="id workspace_id name code warehouse_code address phone contact_person", number="lat lng"),
    "delivery_batches": kinds(
        text="id workspace_id name status priority warehouse_id driver_id vehicle_id scheduled_time driver_status "
        "medication_type notes",
        day="scheduled_date",
        ms="actual_start_time actual_end_time created_at updated_at",
        number="current_stop_index total_quantity total_distance estimated_duration total_weight total_volume",
        flag="is_snapshot_locked",
        texts="facility_ids vehicle_ids",
    ),
    "route_history": kinds(
        text="id batch_id facility_id status recipient_name proof_of_delivery_url delay_reason notes vehicle_id "
        "driver_id",
        number="sequence_number",
        ms="planned_arrival actual_arrival check_in_time check_out_time updated_at created_at",
    ),
    "requisitions": kinds(text="id batch_id requisition_number facility_id status"),
    "batch_invoice_links": kinds(text="id batch_id invoice_id invoice_number facility_id"),
    "dispatch_runs": kinds(
        text="id workspace_id batch_id status driver_id vehicle_id notes cancel_reason",
        ms="planned_departure dispatched_at departed_at completed_at cancelled_at",
        number="stops_total stops_completed",
    ),
    "mod4_events": kinds(
        text="event_id workspace_id event_type driver_id session_id device_id vehicle_id batch_id",
        number="lat lng",
        ms="captured_at received_at",
        json="metadata",
    ),
    "delivery_logs": kinds(
        text="id workspace_id event_type batch_id facility_id item_id discrepancy_reason",
        number="expected_qty actual_qty",
        ms="created_at",
        json="metadata",
    ),
    "driver_events": kinds(
        text="id workspace_id event_type driver_id session_id batch_id driver_status",
        ms="recorded_at synced_at",
        json="metadata location",
    ),
    "driver_gps_events": kinds(
        text="id workspace_id driver_id device_id batch_id vehicle_id network_type",
        number="lat lng altitude_m accuracy_m heading speed_mps battery_level",
        ms="captured_at received_at",
        flag="is_background",
    ),
}
"""What is read of each table where it is there. No code, token or hash is among it: none reaches the console."""


@dataclass(frozen=True, slots=True)
class Equals:
    """The column has this value, given as text; one that its type cannot hold is refused."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Differs:
    """The column has another value than this."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class SameText:
    """The text is the same but for capitals."""

    column: str
    value: str


@dataclass(frozen=True, slots=True)
class Among:
    """The column has one of these values."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NotAmong:
    """The column has none of these values."""

    column: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Since:
    """The time is this one or a later one; milliseconds since 1970."""

    column: str
    ms: int


@dataclass(frozen=True, slots=True)
class Empty:
    """The column has no value."""

    column: str


@dataclass(frozen=True, slots=True)
class Member:
    """The column holds the login of a member of a workspace."""

    column: str
    workspace: str


@dataclass(frozen=True, slots=True)
class OfWorkspace:
    """The column points to a row of another table, and that one belongs to a workspace."""

    column: str
    table: str
    workspace: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """One of the conditions holds; none of them is a :class:`Member` or :class:`OfWorkspace`."""

    conditions: tuple[Condition, ...]


Condition: TypeAlias = (
    Equals | Differs | SameText | Among | NotAmong | Since | Empty | Member | OfWorkspace | AnyOf
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Reading:
    """Rows of one table where all conditions hold: everything of :data:`COLUMNS`, or the ``columns`` named.

    ``newest`` is a time by which the newest come first. ``after``: behind this key, in the order of the keys.
    ``limit`` 0 is for all. ``key`` names what no two rows share. ``is_whole``: what it brings is all that there is of
    its kind, so that what it does not bring counts as deleted (:meth:`Tables.shown`).
    """

    table: str
    where: tuple[Condition, ...] = ()
    columns: tuple[str, ...] = ()
    newest: str = ""
    after: str = ""
    limit: int = 0
    key: str = "id"
    is_whole: bool = False

    @property
    def kinds(self) -> Mapping[str, Kind]:
        known = COLUMNS[self.table]
        return {name: known.get(name, "text") for name in self.columns} if self.columns else known


@dataclass(frozen=True, slots=True)
class Growing:
    """A table that only grows, read in the order in which its rows came: by the first of ``times`` that is there."""

    table: str
    key: str
    times: tuple[str, ...]
    where: tuple[Condition, ...]


class Tables(ABC):
    """The platform within one job: in one transaction over the database, request by request over the web service.

    Everything blocks; jobs run in threads. Each method raises :class:`adapters.mod4.words.Refused` for a refusal.
    """

    undoes: bool
    """Whether a change made before a failure of the same job is undone with it."""

    def __init__(self, inventory: Inventory) -> None:
        self.inventory = inventory

    @abstractmethod
    def rows(self, reading: Reading) -> list[Row]: ...

    @abstractmethod
    def page(self, growing: Growing, since: str, behind: tuple[str, str] | None, size: int) -> list[Row]:
        """At most ``size`` rows behind one (its ``at`` and ``key``), or those that came after ``since``.

        Each row has, beside its columns, ``key``, ``at`` (when it came as the server wrote it, "" for never) and
        ``arrived`` (the same in milliseconds, None beyond the calendar). Fewer than ``size`` are the last.
        """

    @abstractmethod
    def function_rows(self, name: str, arguments: Mapping[str, str], columns: Mapping[str, Kind]) -> list[Row]:
        """Rows of a function that only reads. A column that it does not return is a refusal."""

    @abstractmethod
    def call(self, name: str, arguments: Mapping[str, str]) -> Any:
        """What a function answers; texts become what it takes."""

    @abstractmethod
    def change(self, name: str, key: str, values: Mapping[str, str], guards: Sequence[Condition]) -> int:
        """Update the row with an id where the guards hold; how many rows were changed."""

    @abstractmethod
    def add(self, name: str, values: Mapping[str, str]) -> None:
        """Insert a row."""

    @abstractmethod
    def now_ms(self) -> int:
        """The server's clock."""

    def hold(self, name: str) -> None:
        """Let nobody else through who holds the same name, until the job ends; where the way in can do that."""
        del name

    def account(self, email: str) -> str:
        """Id of the account with an address in lower case, "" for none that can be found."""
        if not (self.inventory.has("profiles", "id") and self.inventory.has("profiles", "email")):
            return ""
        found = self.rows(Reading("profiles", (SameText("email", email),)))
        return next((str(row["id"]) for row in found if str(row["email"]).lower() == email), "")

    def addresses(self, accounts: Collection[str]) -> Mapping[str, str]:
        """Addresses of accounts by their ids, as far as they can be read."""
        if not (accounts and self.inventory.has("profiles", "id") and self.inventory.has("profiles", "email")):
            return {}
        found = self.rows(Reading("profiles", (Among("id", tuple(sorted(accounts))),)))
        return {str(row["id"]): str(row["email"] or "") for row in found}

    def is_silent(self, name: str) -> bool:
        """Whether a table shows nobody's rows at all, where row security may be the reason."""
        del name
        return False

    @abstractmethod
    def shown(self) -> Mapping[str, int | None]:
        """How many rows the whole readings of this job brought, by table or function.

        None where one brought none, and nothing proves that there is none: row security hides without an error.
        """
