"""Mod4, the drivers' side of the platform: its database, and the app on their phones."""
