"""What runs here: program, Python, Qt, platform, store revision."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

PACKAGE = "biko-console"


def program_version() -> str:
    """The installed version; from a source tree that was not installed, the one that the tree declares."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError:
        return "0.1.0 (source)"


def version_lines() -> list[str]:
    from app.store.revision import HEAD

    qt = _version_of("PySide6-Essentials")
    return [
        f"biko-console {program_version()}",
        f"Python {sys.version.split()[0]}",
        f"Qt {qt}" if qt else "Qt is not installed (the gateway does not need it)",
        f"Platform {platform.platform()}",
        f"Store revision {HEAD}",
    ]


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
