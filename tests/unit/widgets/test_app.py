from __future__ import annotations

import importlib
import linecache
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from widgets.app import make_application


def test_the_source_of_imported_modules_is_not_kept(
    qapp: QApplication, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert make_application() is qapp
    path = tmp_path / "a_module_of_this_test.py"
    path.write_text("ANSWER = 42\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert importlib.import_module("a_module_of_this_test").ANSWER == 42
    assert str(path) not in linecache.cache
