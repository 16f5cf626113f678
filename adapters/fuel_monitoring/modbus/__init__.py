"""Modbus RTU sensors: frames, registers, maps that an operator can write (fuel-sensors.md 2)."""
