"""CAN bridges on a serial port, and what J1939 says through them (fuel-sensors.md 3 and 4)."""
