"""The alarms page, its details, and what the window says of alarms on every page."""
