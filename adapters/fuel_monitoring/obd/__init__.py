"""OBD-II through ELM327 adapters (fuel-sensors.md 5)."""
