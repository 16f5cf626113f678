"""Mod4 Setup: the third tab of Integrations, where drivers are linked with the driver platform."""
