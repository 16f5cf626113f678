"""The tables of alarms and of the rules that raise them."""

from sqlalchemy import JSON, Boolean, Double, ForeignKey, Index, Integer, String, Text

from app.store.columns import Base, column, optional
from app.store.types import Key, UtcDateTime


class AlarmRule(Base):
    """A rule of the operators: speed, fences, silence, fuel. ``settings`` are checked by the kind's own model."""

    __tablename__ = "alarm_rules"

    id = column(String(36), primary_key=True)
    kind = column(String(32))  # speed, fence_enter, fence_leave, fence_stay, drain, sensor_silent, tracker_silent …
    name = column(String(200))
    enabled = column(Boolean)
    priority = column(String(8))  # low, medium, high
    settings = column(JSON)
    created_at = column(UtcDateTime)
    removed_at = optional(UtcDateTime)
    changed_version = column(Key, index=True, default=0)


class Alarm(Base):
    """Something that somebody must act on. Repeats are counted on the one that stands.

    ``alarm_key`` names what it is about (``drain:<event id>``, ``tracker_silent:<device key>``); one alarm of a key
    stands at a time. It is over when it is both cleared and acknowledged.
    """

    __tablename__ = "alarms"

    id = column(String(36), primary_key=True)
    alarm_key = column(String(200), index=True)
    rule_id = optional(String(36), ForeignKey("alarm_rules.id"))
    parent_id = optional(String(36), index=True)  # the cause under which it is folded
    kind = column(String(32))
    priority = column(String(8))
    vehicle_id = optional(String(36))
    device_key = optional(Key)
    integration_id = optional(String(36))
    fuel_event_id = optional(String(36))
    position_id = optional(Key)  # the fix that raised it
    event_id = optional(Key)  # the device's event that raised it
    title = column(String(300))
    detail = column(Text)  # what and why, in sentences
    advice = column(Text, default="")  # what to do next
    evidence = column(JSON)  # [[name, value in words], …]
    lat = optional(Double)
    lon = optional(Double)
    raised_at_ms = column(Key)
    last_at_ms = column(Key)
    repeats = column(Integer, default=0)
    cleared_at_ms = optional(Key)
    acknowledged_at_ms = optional(Key)
    acknowledged_by = column(String(200), default="")
    shelved_until_ms = optional(Key)
    shelved_reason = column(Text, default="")
    assigned_to = column(String(200), default="")
    comments = column(JSON)  # [{at_ms, who, text}, …]
    changed_version = column(Key, index=True, default=0)

    __table_args__ = (
        Index("ix_alarms_raised_at_ms", "raised_at_ms"),
        Index("ix_alarms_cleared_at_ms", "cleared_at_ms"),
    )


class AlarmSpell(Base):
    """How long one vehicle has been inside a fence or above a limit, as one rule sees it: what a restart must know.

    ``subject`` is a vehicle's id, or that of a tracker on no vehicle; ``fence_id`` is "" for a limit that holds
    everywhere.
    """

    __tablename__ = "alarm_spells"

    rule_id = column(String(36), primary_key=True)
    subject = column(String(36), primary_key=True)
    fence_id = column(String(36), primary_key=True)
    since_ms = column(Key)
    is_confirmed = column(Boolean)  # it lasted as long as the rule asks for
    is_raised = column(Boolean)  # its alarm of a long stay was raised
    out_since_ms = optional(Key)  # seems to have ended then, which is not sure yet
