"""The program: the command line, and the window as the one place where its parts are put together.

Qt is imported inside functions and by nothing that a command needs: the gateway and the commands run without it.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from app import platform
from app.commands.cli import WindowOptions, main
from app.commands.output import Refused
from app.commands.session import Session
from app.errors import OperatorError
from app.logs import Logs
from app.security.redaction import redact_text
from app.tasks import Tasks
from resources.i18n import tr

if TYPE_CHECKING:
    from PySide6.QtWidgets import QApplication, QWidget

    from app.demo import Demo
    from app.engine.held import HeldStore
    from app.engine.status import WindowEngine
    from app.store.recovery import Recovery
    from app.store.store import Store
    from widgets.context import ConsoleContext
    from widgets.crash import CrashReporter
    from widgets.engine_words import EngineLine
    from widgets.preferences import Preferences
    from widgets.problems_panel import Fix, OpenProblem
    from widgets.single_instance import SingleInstance
    from widgets.theme import Theme
    from widgets.window import ConsoleWindow

PICTURE_EVERY_S = 5.0
ENGINE_WAITS_S = 1.5
"""How long the engine waits for the first page at most."""
CLOSING_S = 10.0
"""How long a new start waits for a window that is just being closed."""

_log = logging.getLogger(__name__)


def open_window(session: Session, options: WindowOptions) -> int:
    """Build the window, run it until it is closed, and end everything it began. Returns the exit status."""
    gc.disable()  # there is nothing to find while modules are loaded; the window looks after it once it stands
    _require_qt(options)
    from widgets.app import make_application

    app = make_application()
    from qasync import QEventLoop  # after the application, which says which Qt it must take

    loop = QEventLoop(app)
    asyncio.set_event_loop(loop)
    with loop:
        return int(loop.run_until_complete(Console(session, options, app).run()))


def _require_qt(options: WindowOptions) -> None:
    """Raises Refused, with what to do, where no window can be. Qt itself would only end the process."""
    try:
        import PySide6.QtNetwork
        import PySide6.QtSvg
        import PySide6.QtWidgets  # noqa: F401 - found or not is the question
    except ImportError as err:
        raise Refused(
            f"The window needs Qt, which cannot be loaded ({err}). Install the program again with its window, and on "
            "Linux the system's libraries that README names. The gateway and every other command work without."
        ) from err
    if not platform.has_display() and "QT_QPA_PLATFORM" not in os.environ:
        if options.screenshot is None:
            raise Refused(
                "There is no display here for the window. Start it from a desktop, or under a virtual display "
                "(xvfb-run). The gateway and every other command work without one."
            )
        os.environ["QT_QPA_PLATFORM"] = "offscreen"


class Console:
    """One window from its start to its end. ``standing`` is set once it is shown and looks after its engine."""

    logs: Logs
    reporter: CrashReporter
    tasks: Tasks
    preferences: Preferences
    theme: Theme
    demo: Demo | None
    context: ConsoleContext
    window: ConsoleWindow
    engine: WindowEngine
    engine_line: EngineLine

    def __init__(self, session: Session, options: WindowOptions, app: QApplication) -> None:
        self.session = session
        self.options = options
        self.app = app
        self.standing = asyncio.Event()
        self._was_told_to_stop = False

    async def run(self) -> int:
        """Everything begun here is ended in the reverse order, however far it came. Returns the exit status."""
        async with AsyncExitStack() as end:
            self._look()
            platform.on_stop_signal(asyncio.get_running_loop(), self.stop)
            try:
                self.session.paths.create()
                instance = await self._instance(end)
                if instance is None:
                    return 0
                self.demo = await self._new_demo(end)
                self._open_doors_for_errors(end)
                return await self._run_window(instance)
            except (OperatorError, OSError) as err:
                return await self._refuse(_sentence(err))
            except Exception as err:  # noqa: BLE001 - a window that cannot be built is told like any other defect
                _log.critical("the window cannot be opened", exc_info=err)
                what, where = redact_text(f"{type(err).__name__}: {err}"), self.session.paths.logs
                return await self._refuse(
                    tr(
                        "A defect of this program ends the window: {what}. The logs in {where} tell more.",
                        what=what,
                        where=where,
                    )
                )

    def stop(self) -> None:
        """What SIGINT and SIGTERM do: as if the operator had closed whatever is open, the window or a question."""
        self._was_told_to_stop = True
        self.app.closeAllWindows()

    # Before the window

    def _look(self) -> None:
        """How everything looks, the refusals too."""
        from app.preferences import PreferencesFile
        from app.security.operator import choose_operator
        from widgets.preferences import Preferences
        from widgets.theme import Theme

        self.preferences = preferences = Preferences(PreferencesFile(self.session.paths.preferences))
        choose_operator(preferences.choices.operator)
        self.theme = theme = Theme(self.app, preferences.choices.theme)
        preferences.changed.connect(lambda: theme.set_mode(preferences.choices.theme))

    async def _instance(self, end: AsyncExitStack) -> SingleInstance | None:
        """The claim on the data folder; None when another window has it, which was brought to the front."""
        from widgets.single_instance import SingleInstance

        instance = SingleInstance(self.session.paths.data_dir)
        end.callback(instance.release)
        until_s = self.session.clock.monotonic() + CLOSING_S
        while not instance.acquire():
            if instance.raise_first():
                return None
            if self.session.clock.monotonic() > until_s:
                break
            await asyncio.sleep(0.1)
        else:
            return instance
        raise OperatorError(
            tr(
                "Another window (process {pid}) uses this data folder and does not answer. Wait until it does, or end "
                "that process and start again.",
                pid=instance.holder() or "?",
            )
        )

    def _open_doors_for_errors(self, end: AsyncExitStack) -> None:
        """A slot's error reaches sys.excepthook, a lost task's the loop: both lead to the same report."""
        from widgets.crash import CrashReporter

        loop = asyncio.get_running_loop()
        self.logs = Logs.open(self.session.paths, "console", debug=self.session.debug)
        end.callback(self.logs.close)
        self.reporter = CrashReporter(self.logs.recent)
        self.reporter.install(loop)
        end.callback(self.reporter.uninstall, loop)
        self.tasks = Tasks(self.reporter.report)
        end.push_async_callback(self._end_tasks)

    async def _end_tasks(self) -> None:
        await self.tasks.close()

    async def _refuse(self, why: str) -> int:
        """Say why there is no window; on the terminal too, for those who started it there."""
        from dialogs.refusal import RefusalDialog
        from widgets import ask

        sys.stderr.write(f"{why}\n")
        if self.options.screenshot is None and self.options.pictures is None:
            dialog = RefusalDialog(self.theme, why)
            platform.on_stop_signal(asyncio.get_running_loop(), dialog.reject)
            await ask.run(dialog)
        return 1

    async def _unlock(self, parent: QWidget | None = None) -> None:
        """Ask for the passphrase of the secrets' file where nobody gave it; the operator may go on without."""
        from app.security.vault import open_vault, wants_passphrase

        session = self.session
        if session.passphrase is not None or self.options.screenshot is not None:
            return
        if not await asyncio.to_thread(wants_passphrase, session.paths, key_file=session.vault_key_file):
            return
        from dialogs.unlock import ask_passphrase

        open_with = lambda passphrase: open_vault(session.paths, passphrase=passphrase)  # noqa: E731
        session.passphrase = await ask_passphrase(self.theme, self.tasks, open_with, parent)

    async def _take_place(self) -> Place:
        """The store, held where the engine runs in this process. Raises StoreError, VaultError, EngineHeld, OSError."""
        session = self.session
        password = await asyncio.to_thread(lambda: session.database_password)
        if self.options.in_process:
            from app.engine.held import HeldStore

            take = partial(HeldStore.take, started_by="in-process", database_url=session.database, password=password)
            held = await asyncio.to_thread(take, session.paths, session.clock)
            return Place(held.store, held.prepared.recovered, held.close, partial(self._own_engine, held))
        from app.opening import open_for_window

        open_store = partial(open_for_window, session.paths, session.database, session.clock, password=password)
        opened = await asyncio.to_thread(open_store)
        return Place(opened.store, opened.recovered, opened.store.close, self._child_engine)

    def _own_engine(self, held: HeldStore) -> WindowEngine:
        """On this window's loop, for small sites and PCs that forbid child processes."""
        from app.engine.own import OwnEngine

        services, clock, show = self.context.services, self.session.clock, self.engine_line.show
        return OwnEngine(held, services, clock=clock, tasks=self.tasks, on_change=show)

    def _child_engine(self) -> WindowEngine:
        """A gateway as child process: started, adopted, restarted by the supervisor."""
        from app.engine.supervisor import Supervisor

        session = self.session
        return Supervisor(
            session.gateway_command(),
            session.paths,
            clock=session.clock,
            tasks=self.tasks,
            on_change=self.engine_line.show,
            passphrase=session.passphrase or "",
            open_store=session.open_store,
        )

    # The window and what surrounds it

    async def _run_window(self, instance: SingleInstance) -> int:
        async with AsyncExitStack() as end:
            await self._unlock()
            place = await self._take_place()
            end.push_async_callback(asyncio.to_thread, place.close)
            self._build(place.store, end)
            self._wire(instance)
            self.engine = place.new_engine()
            end.push_async_callback(self._stop_engine)
            end.push_async_callback(self._close_window, instance)
            self._begin()
            self._tell_of_the_past(place.recovered)
            if self.options.screenshot is not None:
                return await self._take_screenshot(self.options.screenshot)
            if not self._was_told_to_stop:
                await self.window.exit_event.wait()
            return 0

    async def _new_demo(self, end: AsyncExitStack) -> Demo | None:
        """The demo, its folder emptied before anything is written there, the log included. Raises DemoRefused."""
        if not self.options.demo:
            return None
        from app.demo import Demo

        demo = Demo(self.session, keep=self.options.keep)
        await asyncio.to_thread(demo.prepare)
        end.callback(demo.close)
        return demo

    def _build(self, store: Store, end: AsyncExitStack) -> None:
        from app.preferences import JsonFile
        from app.services import Services
        from dialogs.doors import dialogs, pages
        from widgets.alarms.wiring import wire_alarms
        from widgets.context import ConsoleContext, Doors
        from widgets.engine_words import EngineLine
        from widgets.formats import Formats
        from widgets.store_bridge import StoreBridge
        from widgets.ui_state import UiState
        from widgets.window import ConsoleWindow

        session, paths = self.session, self.session.paths
        bridge = StoreBridge(store)
        end.push_async_callback(asyncio.to_thread, bridge.close)
        self.context = ConsoleContext(
            bridge=bridge,
            theme=self.theme,
            preferences=self.preferences,
            formats=Formats(self.preferences),
            ui_state=UiState(JsonFile(paths.window_state)),
            tasks=self.tasks,
            paths=paths,
            services=Services(paths, store, session.clock, lambda: session.vault),
            doors=Doors(dialogs=dialogs()),
        )
        end.callback(self.context.ui_state.close)
        self.window = ConsoleWindow(
            self.context, pages(), fixes=self._fixes(), log_lines=self.logs.recent, is_demo=self.options.demo
        )
        self.engine_line = EngineLine(self.window, session.clock)
        self.alarms = wire_alarms(self.context, self.window)

    def _wire(self, instance: SingleInstance) -> None:
        """Who listens to whom, as far as the parts do not say so themselves."""
        from app.versions import version_lines
        from dialogs.about import AboutDialog
        from dialogs.crash_report import CrashReportDialog
        from dialogs.shortcuts_help import ShortcutsHelp
        from widgets.palette_entries import store_entries

        window, context = self.window, self.context
        instance.raise_wanted.connect(window.bring_to_front)
        self.reporter.reported.connect(lambda report: CrashReportDialog(context, report, window).open())
        window.help_wanted.connect(lambda: ShortcutsHelp(context.theme, window).open())
        window.about_wanted.connect(lambda: AboutDialog(context.theme, version_lines(), window).open())
        window.palette_box.add_provider(partial(store_entries, context))

    def _begin(self) -> None:
        """Show the window, then start what it looks after: the first picture comes before everything else."""
        self.context.bridge.start()
        self.window.start(self.options.page)
        self.tasks.start(self._start_engine(), name="start of the engine", owner=self)
        if self.demo is not None:
            self.tasks.start(self.demo.run(self.context.services), name="demo", owner=self)
        if self.options.pictures is not None:
            self.tasks.start(self._take_pictures(self.options.pictures), name="pictures", owner=self)
        self.standing.set()

    async def _start_engine(self) -> None:
        """Once the first page shows its data: two programs that start at once take from each other on two cores."""
        page, ends = self.window.page, time.monotonic() + ENGINE_WAITS_S
        while page is not None and not page.is_ready and time.monotonic() < ends:  # noqa: ASYNC110 - a page's own word
            await asyncio.sleep(0.02)
        self.engine.start()

    def _tell_of_the_past(self, recovered: Recovery | None) -> None:
        """What happened before this window stood, in its strip; the details are in Problems and in the logs."""
        if recovered is not None:
            self.window.notify("warn", tr("The store file was damaged and has been recovered. Problems tells more."))
        if self.logs.last_fault:
            said = tr("The console broke off last time. The logs in {where} tell more.", where=self.session.paths.logs)
            self.window.notify("warn", said)

    def _fixes(self) -> Mapping[str, Fix]:
        """The buttons of problems, by the word that stands in the store."""
        from widgets.problems_panel import Fix

        def integrations(wish: str) -> Callable[[OpenProblem], None]:
            return lambda problem: self.context.open_page("integrations", **{wish: problem.integration_id})

        def task(name: str, act: Callable[[OpenProblem], Coroutine[Any, Any, None]]) -> Callable[[OpenProblem], None]:
            def start(problem: OpenProblem) -> None:
                self.tasks.start(act(problem), name=name, owner=self)

            return start

        return {
            "sign_in": Fix(tr("Sign in again"), integrations("sign_in")),
            "settings": Fix(tr("Open its settings"), integrations("configure")),
            "start_engine": Fix(tr("Start the engine"), task("start the engine", self._start_engine_again)),
            "outbox": Fix(tr("Open Sync"), lambda _problem: self.context.open_page("sync")),
            "noted": Fix(tr("Put away"), task("put a problem away", self._put_away)),
        }

    async def _start_engine_again(self, _problem: OpenProblem) -> None:
        await self._unlock(self.window)
        self.engine.start_again(self.session.passphrase)

    async def _put_away(self, problem: OpenProblem) -> None:
        from app.problems import put_away

        try:
            await self.context.bridge.write(partial(put_away, problem_id=problem.id))
        except OperatorError as err:
            self.window.notify("error", tr("That was not saved: {why}", why=err.why))

    # The end

    async def _close_window(self, instance: SingleInstance) -> None:
        """It goes at once; what takes longer, such as the engine's end, nobody has to watch."""
        self.window.hide()
        instance.leave()
        self.engine_line.close()
        await self.alarms.close()
        await self.tasks.cancel_owner(self)
        self.window.close_parts()

    async def _stop_engine(self) -> None:
        await self.engine.stop(keep=self.preferences.choices.keep_engine_running and not self.options.demo)

    # Pictures

    async def _take_screenshot(self, path: Path) -> int:
        from widgets.screenshot import grab_page

        page = self.options.page or self.window.page_keys[0]
        if page not in self.window.page_keys:
            sys.stderr.write(f"There is no page “{page}”. There are: {', '.join(self.window.page_keys)}.\n")
            return 1
        if self.demo is not None:
            await self.demo.wait_moving(self.context.bridge.store)
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


@dataclass(frozen=True, slots=True)
class Place:
    """The store as this window has it. ``recovered`` tells of a damaged file that was set aside just now."""

    store: Store
    recovered: Recovery | None
    close: Callable[[], None]
    new_engine: Callable[[], WindowEngine]


def _sentence(err: OperatorError | OSError) -> str:
    if isinstance(err, OperatorError):
        return err.why
    return f"The system refused: {err.strerror or err}{f' ({err.filename})' if err.filename else ''}."


def run() -> int:
    return main(open_window)


if __name__ == "__main__":
    sys.exit(run())
