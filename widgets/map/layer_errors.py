"""What can be wrong with a file that a user adds to the map."""

from __future__ import annotations


class LayerRefused(Exception):
    """The file cannot be shown; the message is a sentence for the operator, naming the file and the next step."""
