"""Dialogs of supply records."""
