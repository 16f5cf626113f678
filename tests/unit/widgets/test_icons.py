"""Icons are shipped one by one: each that the code names is there, and none lies about unused."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from resources import has_icon, resource_path, resource_text

ROOT = Path(__file__).parents[3]
FOLDERS = ("main.py", "app", "adapters", "widgets", "dialogs")
WINDOWS = ("main.py", "widgets", "dialogs")
OWN = {"app"}  # our own mark, drawn by name in widgets/theme.py
BY_NAME = {"icon", "pixmap", "follow"}  # methods of Theme, whose icon is called ``name``


@cache
def trees() -> tuple[tuple[str, ast.Module], ...]:
    files = [file for folder in FOLDERS for file in sorted((ROOT / folder).rglob("*.py")) or [ROOT / folder]]
    return tuple((file.relative_to(ROOT).as_posix(), ast.parse(file.read_text(encoding="utf-8"))) for file in files)


def shipped() -> set[str]:
    return {file.stem for file in resource_path("icons").glob("*.svg")}


def takers() -> dict[str, int]:
    """Functions and classes that take an ``icon``, and at which place of a call."""
    found = {}
    for file, tree in trees():
        if not file.startswith(WINDOWS):
            continue
        for node in ast.walk(tree):
            names: list[str] = []
            if isinstance(node, ast.FunctionDef) and node.name != "__init__":
                names = [argument.arg for argument in node.args.args]
            elif isinstance(node, ast.ClassDef):
                starts = [made for made in node.body if isinstance(made, ast.FunctionDef) and made.name == "__init__"]
                fields = [field.target for field in node.body if isinstance(field, ast.AnnAssign)]
                plain = [field.id for field in fields if isinstance(field, ast.Name)]
                names = [argument.arg for argument in starts[0].args.args] if starts else plain
            names = [name for name in names if name != "self"]
            wanted = "name" if isinstance(node, ast.FunctionDef) and node.name in BY_NAME else "icon"
            if wanted in names and isinstance(node, ast.FunctionDef | ast.ClassDef):
                found[node.name] = names.index(wanted)
    return found


def named() -> Iterator[tuple[str, str]]:
    """Every icon that is written out where one is wanted, with its file."""
    places = takers()
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                at = places.get(called) if file.startswith(WINDOWS) else None
                given = node.args[at : at + 1] if at is not None else []
                given = [*given, *(keyword.value for keyword in node.keywords if keyword.arg == "icon")]
            elif isinstance(node, ast.Assign):
                given = [node.value] if any(getattr(target, "id", "") == "icon" for target in node.targets) else []
            else:
                continue
            for value in given:
                options = [value.body, value.orelse] if isinstance(value, ast.IfExp) else [value]
                for option in options:
                    if isinstance(option, ast.Constant) and isinstance(option.value, str) and option.value:
                        yield f"{file}:{option.lineno}", option.value


def test_every_icon_that_is_named_is_shipped() -> None:
    places = list(named())
    assert len(places) > 100, "the way in which icons are named has changed: look for them anew"
    assert [(where, name) for where, name in places if name not in shipped()] == []


def test_no_icon_is_shipped_for_nothing() -> None:
    texts = {
        node.value
        for _file, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    sheet = resource_text("themes/console.qss")
    unused = {name for name in shipped() - OWN if name not in texts and f"/{name}.svg" not in sheet}
    assert unused == set(), "delete these from resources/icons"


def test_a_name_from_outside_is_looked_up_first() -> None:
    assert has_icon("truck")
    assert not has_icon("no-such-icon")
    assert not has_icon("../icons/truck")
