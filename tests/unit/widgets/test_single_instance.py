"""Two starts for one data folder, as two processes."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from pathlib import Path

from tests.helpers.qt import until
from widgets.single_instance import SingleInstance

SECOND = """
import sys
from pathlib import Path
from PySide6.QtCore import QCoreApplication
from widgets.single_instance import SingleInstance
app = QCoreApplication([])
second = SingleInstance(Path(sys.argv[1]))
print("acquired" if second.acquire() else "raised" if second.raise_first() else f"silent {second.holder()}")
"""


def start_second(folder: Path) -> subprocess.Popen[str]:
    root = Path(__file__).parents[3]
    return subprocess.Popen([sys.executable, "-c", SECOND, str(folder)], stdout=subprocess.PIPE, text=True, cwd=root)


async def said_by(process: subprocess.Popen[str]) -> str:
    out, _ = await asyncio.to_thread(process.communicate)
    return out.strip()


async def test_the_second_raises_the_first_and_goes(tmp_path: Path) -> None:
    wishes: list[bool] = []
    first = SingleInstance(tmp_path)
    first.raise_wanted.connect(lambda: wishes.append(True))
    assert first.acquire()
    assert await said_by(start_second(tmp_path)) == "raised"
    await until(lambda: wishes)
    first.release()
    assert await said_by(start_second(tmp_path)) == "acquired"
    await asyncio.get_running_loop().shutdown_default_executor()


async def test_other_folders_have_their_own_console(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    first, other = SingleInstance(tmp_path / "a"), SingleInstance(tmp_path / "b")
    assert first.acquire()
    assert other.acquire()
    first.release()
    other.release()


def test_a_first_that_does_not_answer_is_named(tmp_path: Path, qapp: object) -> None:
    first = SingleInstance(tmp_path)
    assert first.acquire()
    first._server.close()
    second = start_second(tmp_path)
    assert second.communicate(timeout=20)[0].startswith("silent ")
    first.release()
