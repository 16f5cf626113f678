from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest

from app.commands.cli import COMMANDS, LazyGroup, WindowOptions, build_cli
from app.commands.session import Session
from app.paths import Paths
from app.versions import VERSION
from tests.helpers.command_line import ROOT, CommandLine, assert_refused, no_window


def test_without_a_command_the_window_opens_with_its_options(tmp_path: Path) -> None:
    asked: list[tuple[Session, WindowOptions]] = []

    def window(session: Session, options: WindowOptions) -> int:
        asked.append((session, options))
        return 7

    cli = CommandLine(tmp_path, window)
    assert cli("--demo", "--keep", "--screenshot", "x.png", "--page", "map", "--size", "1280x800").status == 7
    session, options = asked[0]
    assert session.paths == Paths(tmp_path)
    assert session.database == Paths(tmp_path).store_url
    assert session.file_vault_only
    assert options == WindowOptions(True, True, False, Path("x.png"), "map", "", (1280, 800), None)


def test_the_demo_has_a_folder_of_its_own_and_opens_on_the_map(monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[Paths] = []
    pages: list[str] = []

    def window(session: Session, options: WindowOptions) -> int:
        folders.append(session.paths)
        pages.append(options.page)
        return 0

    monkeypatch.setattr(sys, "argv", ["main.py"])
    for words in (["--demo"], []):
        build_cli(window).main(words, standalone_mode=False)
    assert folders == [Paths.of_demo(), Paths.of_user()]
    assert pages == ["map", ""]
    assert Paths.of_user().data_dir not in (Paths.of_demo().data_dir, *Paths.of_demo().data_dir.parents)


@pytest.mark.parametrize(
    "words",
    [
        ["nosuch"],
        ["--nosuch"],
        ["--size", "12x12"],
        ["--theme", "pink"],
        ["integrations", "add"],
        ["export"],
        ["devices"],
    ],
)
def test_wrong_usage_is_told_apart_from_a_refusal(bare: CommandLine, words: list[str]) -> None:
    outcome = bare(*words)
    assert outcome.status == 2
    assert "Traceback" not in outcome.err


@pytest.mark.parametrize(
    "words", [["integrations", "list"], ["devices", "list"], ["export", "positions"], ["audit", "verify"]]
)
def test_a_missing_store_is_refused_with_what_makes_one(bare: CommandLine, words: list[str]) -> None:
    assert_refused(bare(*words), "does not exist yet", "store upgrade")


def test_a_password_in_the_address_is_refused_and_not_repeated(bare: CommandLine) -> None:
    for words in (["devices", "list"], ["gateway"], ["store", "upgrade"], ["backup", "create", "x"]):
        outcome = bare("--database", "postgresql://depot:hush-hush@127.0.0.1/depot", *words)
        assert_refused(outcome, "vault", "PGPASSWORD", "PGPASSFILE")
        assert "hush-hush" not in outcome.err


@pytest.mark.parametrize("address", ["mysql://h/d", "sqlite://", "nonsense", "sqlite:///x?mode=ro"])
def test_a_database_that_cannot_be_the_store_is_refused(bare: CommandLine, address: str) -> None:
    assert_refused(bare("--database", address, "integrations", "list"))


def test_a_defect_is_one_sentence_and_a_trace_with_debug(bare: CommandLine, monkeypatch: pytest.MonkeyPatch) -> None:
    def defect(_self: Session) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("app.commands.session.Session.open_store", defect)
    assert_refused(bare("devices", "list"), "ZeroDivisionError: division by zero", "--debug")
    with pytest.raises(ZeroDivisionError):
        bare("--debug", "devices", "list")


def test_versions_are_shown_whatever_else_is_asked(bare: CommandLine) -> None:
    for words in (["--version"], ["--version", "gateway"]):
        outcome = bare(*words)
        assert outcome.status == 0
        assert [line.split(" ")[0] for line in outcome.out.splitlines()] == [
            "biko-console",
            "Python",
            "Qt",
            "Platform",
            "Store",
        ]
        assert VERSION in outcome.out
        assert sys.version.split()[0] in outcome.out


def test_every_command_loads_and_explains_itself(bare: CommandLine) -> None:
    group = build_cli(no_window)
    assert isinstance(group, LazyGroup)
    for name in COMMANDS:
        command = group.get_command(click.Context(group), name)
        assert command is not None
        assert command.get_short_help_str()
        assert bare(name, "--help").status == 0


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        (["--version"], ["sqlalchemy", "PySide6", "httpx", "numpy"]),
        (["decode", "auto", "7878"], ["sqlalchemy", "PySide6", "alembic", "cryptography", "numpy"]),
        (["gateway", "--help"], ["sqlalchemy", "PySide6"]),
    ],
)
def test_quick_commands_load_nothing_heavy(words: list[str], heavy: list[str]) -> None:
    program = (
        "import sys, runpy\n"
        f"sys.argv = ['main.py', *{words!r}]\n"
        "try:\n    runpy.run_path('main.py', run_name='__main__')\n"
        "except SystemExit as end:\n    assert not end.code\n"
        f"sys.exit(str([name for name in {heavy!r} if name in sys.modules] or ''))"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
