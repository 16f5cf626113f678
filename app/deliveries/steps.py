"""One step of a journey, known or missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from app.fleet.times import iso_ms

StepKind = Literal[
    "order", "shipment", "batch", "check", "track", "twins", "stop", "fuel", "proof", "receipt"
]  # fmt: skip
StepState = Literal["done", "open", "gap", "warning"]


@dataclass(frozen=True, slots=True)
class Step:
    """``state``: done; open (not due yet); gap (missing though it should be there); warning (there, and not right).

    ``at_ms`` is when it happened, ``since_ms`` since when it is missing. ``title`` names it, ``detail`` is a sentence,
    ``next_step`` what would close a gap. ``record_id`` leads to the row behind it.
    """

    kind: StepKind
    state: StepState
    title: str
    detail: str
    at_ms: int | None = None
    since_ms: int | None = None
    next_step: str = ""
    record_id: str = ""
    facts: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_gap(self) -> bool:
        return self.state == "gap"

    def as_json(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "state": self.state,
            "title": self.title,
            "detail": self.detail,
            "at": iso_ms(self.at_ms),
            "since": iso_ms(self.since_ms),
            "next_step": self.next_step,
            "record_id": self.record_id,
            "facts": dict(self.facts),
        }
