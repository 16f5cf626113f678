from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from app.paths import Paths
from tests.helpers.command_line import CommandLine
from tests.helpers.stores import make_store_url


@pytest.fixture
def bare(tmp_path: Path) -> CommandLine:
    """The command line of a data folder that does not exist yet."""
    return CommandLine(tmp_path / "data")


@pytest.fixture
def cli(bare: CommandLine) -> CommandLine:
    """The command line of a data folder with an empty store, and secrets in a file of it."""
    paths = Paths(bare.data_dir)
    paths.create()
    shutil.move(make_store_url(bare.data_dir / "template").removeprefix("sqlite:///"), paths.store_file)
    (bare.data_dir / "key").write_text("a key for tests that is long enough\n", encoding="utf-8")
    return bare
