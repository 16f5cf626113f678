"""The revision of this program's tables, alone, so that ``--version`` tells it without loading the database library."""

HEAD = "0010"
"""Revisions are counted, so that older and newer can be told apart."""
