"""The phases of an integration, the legal moves between them, and the platform's four status words."""

from __future__ import annotations

from enum import StrEnum


class Phase(StrEnum):
    NOT_CONFIGURED = "not_configured"
    DISABLED = "disabled"
    STARTING = "starting"
    HEALTHY = "healthy"
    STALE = "stale"
    RETRYING = "retrying"
    NEEDS_SIGN_IN = "needs_sign_in"
    MISCONFIGURED = "misconfigured"
    ERROR = "error"


# Phases in which the coordinator waits for a person: nothing runs until a start.
STOPPED = frozenset({Phase.NOT_CONFIGURED, Phase.DISABLED, Phase.NEEDS_SIGN_IN, Phase.MISCONFIGURED, Phase.ERROR})
_WORKING = frozenset({Phase.HEALTHY, Phase.STALE, Phase.RETRYING})
# An engine that starts finds whatever the last one left, and anything can be disabled.
_ALWAYS = frozenset({Phase.STARTING, Phase.DISABLED})

MOVES: dict[Phase, frozenset[Phase]] = {
    Phase.NOT_CONFIGURED: _ALWAYS,
    Phase.DISABLED: _ALWAYS,
    Phase.STARTING: frozenset(Phase),
    Phase.HEALTHY: _ALWAYS | _WORKING | {Phase.NEEDS_SIGN_IN, Phase.MISCONFIGURED, Phase.ERROR},
    Phase.STALE: _ALWAYS | _WORKING | {Phase.NEEDS_SIGN_IN, Phase.MISCONFIGURED, Phase.ERROR},
    Phase.RETRYING: _ALWAYS | _WORKING | {Phase.NEEDS_SIGN_IN, Phase.MISCONFIGURED, Phase.ERROR},
    Phase.NEEDS_SIGN_IN: _ALWAYS,
    Phase.MISCONFIGURED: _ALWAYS,
    Phase.ERROR: _ALWAYS,
}


def check_move(before: Phase, after: Phase) -> None:
    """Raises ValueError for a move that the table does not know: a defect of ours, never the peer's."""
    if before is not after and after not in MOVES[before]:
        raise ValueError(f"an integration cannot go from {before} to {after}")


def status_word(phase: Phase, *, ever_succeeded: bool) -> str:
    """The platform's word (active, inactive, configured, error) for a phase."""
    if phase is Phase.DISABLED:
        return "inactive"
    if phase in {Phase.NEEDS_SIGN_IN, Phase.MISCONFIGURED, Phase.ERROR}:
        return "error"
    return "active" if ever_succeeded else "configured"
