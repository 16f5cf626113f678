"""The root of the command line: global options, lazily loaded subcommands, one way to refuse."""

from __future__ import annotations

import importlib
import io
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import click

from app import platform
from app.commands.output import Refused
from app.commands.session import Session
from app.paths import Paths

COMMANDS: dict[str, str] = {
    "gateway": "app.commands.gateway:gateway",
    "demo": "app.commands.demo:demo",
    "store": "app.commands.store:store",
    "integrations": "app.commands.integrations:integrations",
    "decode": "app.commands.decode:decode",
    "devices": "app.commands.fleet:devices",
    "vehicles": "app.commands.fleet:vehicles",
    "export": "app.commands.export:export",
    "doctor": "app.commands.doctor:doctor",
    "backup": "app.commands.backup:backup",
    "audit": "app.commands.audit:audit",
    "sensors": "app.commands.sensors:sensors",
    "fuel": "app.commands.fuel:fuel",
    "alarms": "app.commands.alarms:alarms",
    "supply": "app.commands.supply:supply",
    "outbox": "app.commands.outbox:outbox",
    "inbox": "app.commands.inbox:inbox",
    "conflicts": "app.commands.conflicts:conflicts",
    "identity": "app.commands.identity:identity",
    "reports": "app.commands.reports:reports",
    "mod4": "app.commands.mod4:mod4",
    "deliveries": "app.commands.deliveries:deliveries",
    "mail": "app.commands.mail:mail",
}

_WITHOUT_OPERATOR = (None, "gateway", "demo", "decode")
"""The window takes the name itself, an engine acts by rules, and decoding leaves no trace."""


@dataclass(frozen=True, slots=True)
class WindowOptions:
    """What the window was asked for; ``screenshot`` renders one page to a file and ends."""

    demo: bool = False
    keep: bool = False
    in_process: bool = False
    screenshot: Path | None = None
    page: str = ""
    theme: str = ""
    size: tuple[int, int] | None = None
    pictures: Path | None = None


class LazyGroup(click.Group):
    """Imports a subcommand when it is called: the window and the gateway pay for no other command."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, name = target.split(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, click.ClickException, BrokenPipeError):
            raise
        except Exception as err:
            session = ctx.find_object(Session)
            if session is not None and session.debug:
                raise
            raise Refused(sentence_of(err)) from err


def sentence_of(err: Exception) -> str:
    """What the operator reads of an error: its own sentence, or that the program has a defect."""
    from adapters.errors import AdapterError
    from app.errors import OperatorError
    from app.security.redaction import redact_text

    if isinstance(err, (AdapterError, OperatorError)):
        return err.why
    if isinstance(err, OSError):
        return f"The system refused: {err.strerror or err}{f' ({err.filename})' if err.filename else ''}."
    what = " ".join(redact_text(f"{type(err).__name__}: {err}").split())[:200]
    return f"The program failed where it should not ({what}). Run it with --debug before the command, and report that."


def _show_versions(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from app.versions import version_lines

        click.echo("\n".join(version_lines()))
        ctx.exit()


_version_option = click.option(
    "--version",
    is_flag=True,
    is_eager=True,
    expose_value=False,
    callback=_show_versions,
    help="Show versions and exit.",
)


def build_cli(open_window: Callable[[Session, WindowOptions], int]) -> click.Group:
    """The whole command line; ``open_window`` is what happens without a subcommand."""

    @click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
    @click.option("--data-dir", type=click.Path(file_okay=False, path_type=Path), help="Everything the program keeps.")
    @click.option("--database", help="Database URL without a password (default: SQLite in the data folder).")
    @click.option("--vault-key-file", type=click.Path(dir_okay=False, path_type=Path), help="Key of the secrets' file.")
    @click.option("--debug", is_flag=True, help="Log more, and show where an error came from.")
    @_version_option
    @click.option("--demo", is_flag=True, help="Built-in peers and a data folder of its own.")
    @click.option("--keep", is_flag=True, help="With --demo: keep the last demo's data.")
    @click.option("--in-process", is_flag=True, help="Run the engine inside the window.")
    @click.option("--screenshot", type=click.Path(dir_okay=False, path_type=Path), help="Render a page and exit.")
    @click.option("--page", default="", help="The page to open, or to render.")
    @click.option("--theme", type=click.Choice(["light", "dark"]), help="With --screenshot: which theme.")
    @click.option("--size", help="With --screenshot: WIDTHxHEIGHT.", callback=_size)
    @click.option("--pictures", type=click.Path(dir_okay=False, path_type=Path), help="Write a picture every 5 s.")
    @click.pass_context
    def cli(
        ctx: click.Context,
        data_dir: Path | None,
        database: str | None,
        vault_key_file: Path | None,
        debug: bool,
        demo: bool,
        keep: bool,
        in_process: bool,
        screenshot: Path | None,
        page: str,
        theme: str | None,
        size: tuple[int, int] | None,
        pictures: Path | None,
    ) -> None:
        """Depot console for a medicines distribution fleet. Without a command the window opens."""
        paths = Paths(data_dir) if data_dir is not None else (Paths.of_demo() if demo else Paths.of_user())
        ctx.obj = Session(
            paths=paths,
            database=database or paths.store_url,
            vault_key_file=vault_key_file,
            debug=debug,
            file_vault_only=demo,
        )
        if ctx.invoked_subcommand not in _WITHOUT_OPERATOR:
            _take_operator(paths)
        if ctx.invoked_subcommand is None:
            first_page = page or ("map" if demo else "")  # a newcomer sees vehicles move
            options = WindowOptions(demo, keep, in_process, screenshot, first_page, theme or "", size, pictures)
            ctx.exit(open_window(ctx.obj, options))

    return cli


def _take_operator(paths: Paths) -> None:
    """The acts of a command are those of the operator whom its environment names, else of the one of the window."""
    from app.preferences import PreferencesFile
    from app.security.operator import VARIABLE, choose_operator

    named = os.environ.get(VARIABLE)
    try:
        choose_operator(PreferencesFile(paths.preferences).load().operator if named is None else named)
    except ValueError as err:
        raise Refused(f"The name in {VARIABLE} cannot stand in the record of acts. {err}") from err


def _size(_ctx: click.Context, _param: click.Parameter, value: str | None) -> tuple[int, int] | None:
    if value is None:
        return None
    width, _, height = value.lower().partition("x")
    if not (width.isdecimal() and height.isdecimal() and 200 <= int(width) <= 8000 and 200 <= int(height) <= 8000):
        raise click.BadParameter("give it as WIDTHxHEIGHT, for example 1280x800")
    return int(width), int(height)


def main(open_window: Callable[[Session, WindowOptions], int], arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return the exit status: 0 done, 1 refused or failed, 2 wrong usage."""
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        _speak_utf8(stream)
    platform.keep_new_files_private()  # positions, names and logs are nobody else's business
    try:
        status = build_cli(open_window).main(arguments, prog_name="biko-console", standalone_mode=False)
    except click.ClickException as err:
        err.show()
        return err.exit_code
    except click.Abort:
        click.echo("Stopped.", err=True)
        return 1
    return status if isinstance(status, int) else 0


def _speak_utf8(stream: TextIO | None) -> None:
    """Pipes and files carry UTF-8 on every system; a byte that is none never ends the program."""
    if isinstance(stream, io.TextIOWrapper):  # none at all under pythonw, another kind in tests
        stream.reconfigure(encoding=None if stream.isatty() else "utf-8", errors="backslashreplace")
