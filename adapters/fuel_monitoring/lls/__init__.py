"""The LLS family of level sensors: binary frames, text lines, the EDE additions (fuel-sensors.md 1)."""
