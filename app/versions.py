"""What runs here: program, Python, Qt, platform, store revision."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

VERSION = "0.1.0"
"""The one place where the program's version stands; packaging reads it from here."""


def program_version() -> str:
    return VERSION


def version_lines() -> list[str]:
    from app.store.head import HEAD

    qt = _version_of("PySide6-Essentials")
    return [
        f"biko-console {VERSION}",
        f"Python {platform.python_version()}",
        f"Qt {qt}" if qt else "Qt is not installed (the gateway does not need it)",
        f"Platform {platform.platform()}",
        f"Store revision {HEAD}",
    ]


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
