"""Tool tips of texts that may come from outside."""

from __future__ import annotations

import html


def plain_tip(text: str) -> str:
    """A tool tip that shows ``text`` as it is and breaks its lines: Qt would take what looks like markup for it."""
    return f"<qt>{html.escape(text)}</qt>".replace("\n", "<br>") if text else ""
