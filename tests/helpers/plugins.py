"""Installing the third-party test package as a user would, without a network."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

SOURCE = Path(__file__).with_name("plugin_package")


def install_plugin(folder: Path) -> Path:
    """Build and install the package into a folder of its own; returns that folder, to be put on ``sys.path``."""
    source, target = folder / "source", folder / "installed"
    shutil.copytree(SOURCE, source, ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    offline = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--quiet"]
    command = [sys.executable, "-m", "pip", "install", *offline, "--target", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    if done.returncode:
        raise RuntimeError(f"the test package cannot be installed:\n{done.stdout}\n{done.stderr}")
    return target
