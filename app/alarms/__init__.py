"""Alarms: what somebody must act on, found by rules, told once, folded under its cause, and never lost."""
