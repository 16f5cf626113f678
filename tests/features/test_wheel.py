"""The wheel as users install it: built from the tree, in a clean environment, run from another folder."""

from __future__ import annotations

import os
import shutil
import site
import subprocess
import sys
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.store.head import HEAD
from app.versions import VERSION
from tests.helpers.command_line import ROOT

TOP_LEVEL = {"adapters", "app", "dialogs", "main.py", "resources", "widgets", f"biko_console-{VERSION}.dist-info"}
PNG = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy, so that nothing is left in the tree and nothing old of it gets in."""
    pytest.importorskip("build")
    tree = tmp_path_factory.mktemp("tree")
    for name in ("adapters", "app", "dialogs", "resources", "widgets", "tests"):
        shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("main.py", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, tree / name)
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tree / "dist"), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (found,) = (tree / "dist").glob("*.whl")
    return found


@dataclass
class Installed:
    """The program in an environment of its own, and a folder that is not ours to stand in."""

    command: Path
    folder: Path

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [str(self.command), "--data-dir", str(self.folder / "data"), *words],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=self.environment(),
        )

    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        return {**kept, "QT_QPA_PLATFORM": "offscreen"}


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    """The libraries are lent by the environment of the tests; everything of ours comes from the wheel alone."""
    home = tmp_path_factory.mktemp("environment")
    venv.create(home, with_pip=False)
    folders = "Scripts" if os.name == "nt" else "bin"
    packages = next(path for path in home.rglob("site-packages") if path.is_dir())
    (packages / "libraries.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    pip = [sys.executable, "-m", "pip", "--python", str(home), "install", "--no-deps", "--no-index", "--quiet"]
    done = subprocess.run([*pip, str(wheel)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Installed(home / folders / "biko-console", tmp_path_factory.mktemp("elsewhere"))


def test_it_holds_our_top_level_names_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {name.split("/")[0] for name in names} == TOP_LEVEL


def test_it_holds_everything_that_lies_beside_the_code(wheel: Path) -> None:
    packed = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        path.relative_to(ROOT).as_posix()
        for folder in ("adapters", "app", "dialogs", "resources", "widgets")
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix not in {".pyc", ".pyo"}
    }
    assert wanted - packed == set()
    assert any(name.endswith(".svg") for name in wanted)
    assert any(name.endswith(".mako") for name in wanted)


def test_the_command_works_from_another_folder(installed: Installed) -> None:
    shown = installed("--version")
    assert shown.stdout.splitlines()[0] == f"biko-console {VERSION}", shown.stderr
    decoded = installed("decode", "auto", "--json", "78780d01012345678901234500018cdd0d0a")
    assert '"imei": "123456789012345"' in decoded.stdout, decoded.stderr
    assert installed("store", "upgrade", "--json").stdout.strip().endswith(f'"after": "{HEAD}"}}')
    assert not list(installed.folder.glob("*.py"))


def test_the_gateway_runs(installed: Installed) -> None:
    command = [str(installed.command), "--data-dir", str(installed.folder / "data"), "gateway"]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        command, cwd=installed.folder, env=installed.environment(), text=True, stdin=pipe, stdout=pipe, stderr=pipe
    ) as gateway:
        assert gateway.stdout is not None
        assert gateway.stdout.readline() == "ready\n"
        said, errors = gateway.communicate("stop\n", timeout=20)
    assert (gateway.returncode, said, errors) == (0, "", "")


def test_the_window_draws_a_page(installed: Installed) -> None:
    picture = installed.folder / "page.png"
    drawn = installed("--screenshot", str(picture), "--page", "map", "--theme", "dark", "--size", "1024x640")
    assert drawn.returncode == 0, drawn.stderr
    assert picture.read_bytes().startswith(PNG)
    unknown = installed("--screenshot", str(picture), "--page", "nosuch")
    assert unknown.returncode == 1
    assert "nosuch" in unknown.stderr
    assert "Traceback" not in unknown.stderr
