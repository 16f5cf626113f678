"""Fuel sensors on RS-485 and RS-232, CAN bridges and OBD adapters; their workbench; their simulators."""
