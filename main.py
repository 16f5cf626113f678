"""The program: the command line, and what happens without a command: the window."""

from __future__ import annotations

import sys

from app.commands.cli import WindowOptions, main
from app.commands.session import Session


def open_window(session: Session, options: WindowOptions) -> int:
    """Build the window and run it until it is closed. Qt is imported here and nowhere before."""
    from dialogs.console import run_console

    return run_console(session, options)


def run() -> int:
    return main(open_window)


if __name__ == "__main__":
    sys.exit(run())
