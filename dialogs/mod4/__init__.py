"""Dialogs of Mod4 Setup."""
