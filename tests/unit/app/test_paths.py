from __future__ import annotations

import stat
import sys
from pathlib import Path

import pytest

from app.paths import FolderRefused, Paths


def test_everything_lies_below_one_root(tmp_path: Path) -> None:
    paths = Paths(tmp_path)
    names = [name for name in dir(Paths) if isinstance(getattr(Paths, name), property) and name != "store_url"]
    places = [getattr(paths, name) for name in names]
    assert len(set(places)) == len(places) > 8
    assert all(place.parent == tmp_path for place in places)
    assert paths.store_url == f"sqlite:///{paths.store_file.as_posix()}"


@pytest.mark.skipif(sys.platform == "win32", reason="rights of POSIX")
def test_folders_are_made_for_their_owner_alone(tmp_path: Path) -> None:
    paths = Paths(tmp_path / "new" / "place")
    paths.create()
    paths.create()
    assert stat.S_IMODE(paths.data_dir.stat().st_mode) == 0o700
    assert paths.logs.is_dir()
    assert paths.backups.is_dir()


def test_a_place_that_cannot_hold_a_folder_is_refused_with_the_next_step(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for place in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(FolderRefused, match=r"cannot be used for the program's data: .*--data-dir") as refused:
            Paths(place).create()
        assert str(place) in refused.value.why


def test_the_users_own_folder_is_named_for_the_program() -> None:
    assert Paths.of_user().data_dir.name == "biko-console"
