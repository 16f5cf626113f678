"""Icons, fonts, themes, texts and map data, reached by relative path in a checkout and in an installed wheel."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path


def resource_path(relative: str) -> Path:
    """The path of a shipped file or folder, e.g. ``icons/truck.svg``.

    Raises FileNotFoundError naming the file when it was not shipped.
    """
    path = Path(str(files(__name__).joinpath(relative)))
    if not path.exists():
        raise FileNotFoundError(f"{relative} is missing from the program's resources; install the program again")
    return path


def resource_text(relative: str) -> str:
    """A shipped text file, UTF-8."""
    return resource_path(relative).read_text(encoding="utf-8")


def has_icon(name: str) -> bool:
    """Whether an icon of this name is shipped; an integration of others may name any."""
    return name in {file.name.removesuffix(".svg") for file in resource_path("icons").glob("*.svg")}
