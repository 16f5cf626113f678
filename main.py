"""The program: the command line, and the window as the one place where its parts are put together."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app.commands.cli import WindowOptions, main
from app.commands.output import Refused
from app.commands.session import Session

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication

    from app.demo import Demo
    from app.engine.status import EngineStatus
    from app.store.store import Store
    from widgets.window import PageSpec

PICTURE_EVERY_S = 5.0


def open_window(session: Session, options: WindowOptions) -> int:
    """Build the window, run it until it is closed, and end everything it began. Returns the exit status."""
    require_window(for_picture=options.screenshot is not None)
    # Qt is imported here and nowhere before: the gateway and the commands run without it.
    from widgets.app import make_application
    from widgets.single_instance import SingleInstance

    app = make_application()
    session.paths.create()
    instance = SingleInstance(session.paths.data_dir)
    if not instance.acquire():
        if instance.raise_first():
            return 0
        sys.stderr.write(f"Another window (process {instance.holder()}) uses this data folder and does not answer.\n")
        return 1
    from qasync import QEventLoop

    loop = QEventLoop(app)
    asyncio.set_event_loop(loop)
    try:
        with loop:
            return int(loop.run_until_complete(Console(session, options, app, instance).run()))
    finally:
        instance.release()


def require_window(*, for_picture: bool) -> None:
    """Raises Refused where no window can be shown; a picture needs no display, only Qt."""
    from importlib.util import find_spec

    from app import platform

    missing = [name for name in ("PySide6", "qasync") if find_spec(name) is None]
    if missing:
        raise Refused(
            f"The window needs {' and '.join(missing)}, which this Python does not have. Install the program with all "
            "its libraries; “gateway” and the other commands work without."
        )
    if platform.has_display() or "QT_QPA_PLATFORM" in os.environ:
        return
    if not for_picture:
        raise Refused(
            "There is no display here (neither DISPLAY nor WAYLAND_DISPLAY is set). Sign in at a desktop, or run "
            "“gateway”, which needs none."
        )
    os.environ["QT_QPA_PLATFORM"] = "offscreen"


class Console:
    """The parts of one window and who listens to whom."""

    def __init__(self, session: Session, options: WindowOptions, app: QApplication, instance: Any) -> None:
        self.session = session
        self.options = options
        self.app = app
        self.instance = instance

    async def run(self) -> int:
        from app.logs import Logs
        from app.tasks import Tasks
        from widgets.crash import CrashReporter

        self.demo = self._new_demo()
        self.logs = Logs.open(self.session.paths, "console", debug=self.session.debug)
        self.reporter = CrashReporter(self.logs.recent)
        self.tasks = Tasks(self.reporter.report)
        loop = asyncio.get_running_loop()
        self.reporter.install(loop)
        try:
            engine = await self._open_engine_side()
            if engine is None:
                return 1
            try:
                return await self._run_window()
            finally:
                await engine.close()
        finally:
            await self.tasks.close()
            self.reporter.uninstall(loop)
            self.logs.close()

    def _new_demo(self) -> Demo | None:
        """The demo, its folder emptied before anything is written there."""
        if not self.options.demo:
            return None
        from app.demo import Demo

        demo = Demo(self.session, keep=self.options.keep)
        demo.prepare()
        return demo

    async def _open_engine_side(self) -> EngineSide | None:
        """The store and whoever runs the engine on it; None after telling why that cannot be."""
        from app.errors import OperatorError

        side = InProcessEngine(self) if self.options.in_process else ChildEngine(self)
        try:
            self.store = await side.open()
        except (OperatorError, OSError) as err:
            await self._refuse(getattr(err, "why", str(err)))
            return None
        self.side = side
        return side

    async def _refuse(self, why: str) -> None:
        """Say why there is no window; on the terminal too, for those who started it there."""
        from dialogs.refusal import RefusalDialog
        from widgets import ask
        from widgets.theme import Theme

        sys.stderr.write(f"{why}\n")
        if self.options.screenshot is None:
            await ask.run(RefusalDialog(Theme(self.app), why))

    async def _run_window(self) -> int:
        from app.clock import SystemClock
        from app.preferences import JsonFile, PreferencesFile
        from app.services import Services
        from widgets.context import ConsoleContext, Doors
        from widgets.formats import Formats
        from widgets.preferences import Preferences
        from widgets.store_bridge import StoreBridge
        from widgets.theme import Theme
        from widgets.ui_state import UiState
        from widgets.window import ConsoleWindow

        paths = self.session.paths
        preferences = Preferences(PreferencesFile(paths.preferences))
        theme = Theme(self.app, preferences.choices.theme)
        preferences.changed.connect(lambda: theme.set_mode(preferences.choices.theme))
        bridge = StoreBridge(self.store)
        self.preferences = preferences
        self.context = ConsoleContext(
            bridge=bridge,
            theme=theme,
            preferences=preferences,
            formats=Formats(preferences),
            ui_state=UiState(JsonFile(paths.window_state)),
            tasks=self.tasks,
            paths=paths,
            services=Services(paths, self.store, SystemClock(), lambda: self.session.vault),
            doors=Doors(dialogs=DIALOGS()),
        )
        self.window = ConsoleWindow(
            self.context, PAGES(), fixes=self._fixes(), log_lines=self.logs.recent, is_demo=self.options.demo
        )
        self._wire()
        bridge.start()
        self.window.start(self.options.page)
        try:
            self.side.start()
            if self.demo is not None:
                self.tasks.start(self.demo.run(self.context.services), name="demo", owner=self)
            if self.options.screenshot is not None:
                return await self._take_screenshot(self.options.screenshot)
            if self.options.pictures is not None:
                self.tasks.start(self._take_pictures(self.options.pictures), name="pictures", owner=self)
            await self.window.exit_event.wait()
            return 0
        finally:
            await self.tasks.cancel_owner(self)
            self.window.close_parts()
            self.window.hide()
            await asyncio.to_thread(bridge.close)

    def _wire(self) -> None:
        from app.versions import version_lines
        from dialogs.about import AboutDialog
        from dialogs.crash_report import CrashReportDialog
        from dialogs.shortcuts_help import ShortcutsHelp
        from widgets.palette_entries import fleet_entries

        window, context = self.window, self.context
        self.instance.raise_wanted.connect(window.bring_to_front)
        self.reporter.reported.connect(lambda report: CrashReportDialog(context, report, window).open())
        window.help_wanted.connect(lambda: ShortcutsHelp(context.theme, window).open())
        window.about_wanted.connect(lambda: AboutDialog(context.theme, version_lines(), window).open())
        window.palette_box.add_provider(partial(fleet_entries, context))
        from app import platform

        platform.on_stop_signal(asyncio.get_running_loop(), window.exit_event.set)

    def _fixes(self) -> dict[str, Any]:
        from resources.i18n import tr
        from widgets.problems_panel import Fix

        def open_settings(problem: Any) -> None:
            self.context.open_page("integrations", configure=problem.integration_id)

        return {
            "sign_in": Fix(
                tr("Sign in again"),
                lambda problem: self.context.open_page("integrations", sign_in=problem.integration_id),
            ),
            "settings": Fix(tr("Open its settings"), open_settings),
            "start_engine": Fix(tr("Start the engine"), lambda _problem: self.side.start_again()),
        }

    def show_engine(self, status: EngineStatus) -> None:
        from widgets.engine_words import engine_words

        if hasattr(self, "window"):
            self.window.set_engine_state(*engine_words(status, self.session.clock.now_ms()))

    async def _take_screenshot(self, path: Path) -> int:
        from widgets.screenshot import grab_page

        page = self.options.page or self.window.page_keys[0]
        if page not in self.window.page_keys:
            sys.stderr.write(f"There is no page “{page}”. There are: {', '.join(self.window.page_keys)}.\n")
            return 1
        if self.demo is not None:
            await self.demo.wait_moving(self.store)
        theme = self.options.theme or None
        ready = await grab_page(self.window, page, path, theme, self.options.size)  # type: ignore[arg-type]
        if not ready:
            sys.stderr.write("The page did not get its data in time; the picture shows what there was.\n")
        return 0 if ready else 1

    async def _take_pictures(self, path: Path) -> None:
        from widgets.screenshot import save_window

        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            await asyncio.sleep(PICTURE_EVERY_S)
            save_window(self.window, path)


class EngineSide:
    """Who runs the engine for this window: a child process, or the window's own loop."""

    def __init__(self, console: Console) -> None:
        self.console = console

    async def open(self) -> Store:
        """The store, ready for the window. Raises OperatorError, OSError."""
        raise NotImplementedError

    def start(self) -> None:
        """Begin to run or to supervise, once the window stands."""
        raise NotImplementedError

    def start_again(self) -> None:
        """The operator's button."""
        raise NotImplementedError

    async def close(self) -> None:
        """End what this window began, and close the store."""
        raise NotImplementedError


class ChildEngine(EngineSide):
    """The gateway as a child, started, adopted and restarted by the supervisor."""

    async def open(self) -> Store:
        from app.opening import open_for_window

        session = self.console.session
        password = await asyncio.to_thread(lambda: session.database_password)
        open_store = partial(open_for_window, session.paths, session.database, session.clock, password=password)
        self.store = (await asyncio.to_thread(open_store)).store
        return self.store

    def start(self) -> None:
        from app.engine.supervisor import Supervisor

        session = self.console.session
        self.supervisor = Supervisor(
            session.gateway_command(),
            session.paths,
            clock=session.clock,
            tasks=self.console.tasks,
            on_change=self.console.show_engine,
            passphrase=session.passphrase,
            open_store=session.open_store,
        )
        self.supervisor.start()

    def start_again(self) -> None:
        self.supervisor.start_again()

    async def close(self) -> None:
        if hasattr(self, "supervisor"):
            keep = self.console.preferences.choices.keep_engine_running and not self.console.options.demo
            await self.supervisor.stop(keep=keep)
        await asyncio.to_thread(self.store.close)


class InProcessEngine(EngineSide):
    """The engine on the window's own loop, for small sites and PCs that forbid child processes."""

    async def open(self) -> Store:
        from app.engine.held import HeldStore

        session = self.console.session
        password = await asyncio.to_thread(lambda: session.database_password)
        take = partial(HeldStore.take, started_by="in-process", database_url=session.database, password=password)
        self.held = await asyncio.to_thread(take, session.paths, session.clock)
        return self.held.store

    def start(self) -> None:
        from app.engine.host import EngineHost

        session, context = self.console.session, self.console.context
        services = context.services
        self.host = EngineHost(
            self.held, services.catalogue, services.vault, clock=session.clock, tasks=self.console.tasks
        )
        self.console.tasks.start(self._serve(), name="engine", owner=self)

    def start_again(self) -> None:
        """Nothing to do: this engine lives and ends with the window."""

    async def close(self) -> None:
        if hasattr(self, "host"):
            self.host.stop()
            await self._ended.wait()
        await asyncio.to_thread(self.held.close)

    async def _serve(self) -> None:
        from app.engine.status import EngineStatus, EngineWord

        self._ended = asyncio.Event()
        self.console.show_engine(EngineStatus(EngineWord.RUNNING, "In this window.", self.held.facts, own=True))
        try:
            await self.host.run()
        finally:
            self._ended.set()


def PAGES() -> Sequence[PageSpec]:
    """Every page there is, imported when it is first shown."""
    from importlib import import_module

    from resources.i18n import tr
    from widgets.window import PageSpec

    def load(target: str) -> Any:
        module, name = target.split(":")
        return getattr(import_module(module), name)

    return [
        PageSpec(key, title, icon, partial(load, target))
        for key, title, icon, target in (
            ("integrations", tr("Integrations"), "plug", "widgets.integrations.page:IntegrationsPage"),
            ("map", tr("Live map"), "map", "widgets.map.page:MapPage"),
            ("trackers", tr("Trackers"), "satellite-dish", "widgets.trackers.page:TrackersPage"),
            ("activity", tr("Activity"), "activity", "widgets.activity.page:ActivityPage"),
            ("settings", tr("Settings"), "settings", "widgets.settings.page:SettingsPage"),
        )
    ]


def DIALOGS() -> Mapping[str, Callable[..., Awaitable[Any]]]:
    """The dialogs that pages open by name, each imported when it is first asked for."""
    from importlib import import_module

    async def opened(module: str, name: str, *arguments: Any, **named: Any) -> Any:
        return await getattr(import_module(module), name)(*arguments, **named)

    return {
        name: partial(opened, module, name)
        for module, name in (
            ("dialogs.adopt_tracker", "adopt_tracker"),
            ("dialogs.tracker_settings", "tracker_settings"),
            ("dialogs.map_layers", "map_layers"),
        )
    }


def run() -> int:
    return main(open_window)


if __name__ == "__main__":
    sys.exit(run())
