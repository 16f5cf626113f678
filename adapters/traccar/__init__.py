"""Traccar: devices, positions, geofences and events of a Traccar server, by REST and live by WebSocket."""

from adapters.traccar.adapter import TraccarAdapter
from adapters.traccar.settings import TraccarSettings

__all__ = ["TraccarAdapter", "TraccarSettings"]
