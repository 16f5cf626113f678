"""Pinning a certificate that no public authority vouches for: asked the same way wherever a server is set up."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from resources.i18n import tr
from widgets import ask
from widgets.theme import Theme


async def agreed_to_pin(parent: QWidget, theme: Theme, fingerprint: str) -> bool:
    """Whether somebody says that the ``fingerprint`` shown was compared: only then is it pinned."""
    return await ask.confirm(
        parent,
        theme,
        tr("Pin this certificate?"),
        tr(
            "From then on only a server that shows this certificate is trusted. Ask its administrator for the "
            "SHA-256 fingerprint over another way, and pin it only if every pair is the same."
        ),
        act=tr("It is the same: pin it"),
        detail=fingerprint,
    )
