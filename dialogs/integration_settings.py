"""Adding an integration, changing one, signing in again: one dialog, made from the settings model."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from PySide6.QtCore import QTimer, Signal
from PySide6.QtWidgets import QDialog, QHBoxLayout, QLabel, QStackedWidget, QVBoxLayout, QWidget

from adapters.base import CheckStep, Identity, Layer, Manifest, settings_form
from adapters.bench import PortInfo
from adapters.errors import AdapterError
from app.errors import OperatorError
from app.integrations import (
    CheckReport,
    Duplicate,
    Fault,
    NameRefused,
    OtherPeer,
    SettingsRefused,
    add,
    change,
    check_saved,
    check_settings,
)
from app.off_loop import run_off_loop
from dialogs.check_steps import CheckSteps
from dialogs.pinning import agreed_to_pin
from dialogs.settings_fields import FormTools
from dialogs.settings_form import CONNECTION, NAME, SYNC, SettingsForm
from dialogs.settings_subject import Subject, read_subject, save_words, title_of
from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.primitives import (
    Banner,
    IconTile,
    SegmentedTabs,
    exact_height,
    outline_button,
    primary_button,
    text_label,
)

WIDTH = 672
MARGIN = 24
HEIGHT_SHARE = 0.9


@dataclass(frozen=True, slots=True)
class Entered:
    """What stands in the form; two that are equal are proved by one test."""

    values: Mapping[str, Any]
    secrets: Mapping[str, str]


async def integration_settings(
    context: ConsoleContext,
    parent: QWidget,
    *,
    key: str = "",
    integration_id: str = "",
    sign_in: bool = False,
) -> bool:
    """Open the dialog for a new integration of type ``key`` or for a configured one; True when it was saved."""
    read = partial(read_subject, context.services, key=key, integration_id=integration_id, sign_in=sign_in)
    try:
        subject = await asyncio.to_thread(read)
    except (OperatorError, AdapterError) as err:
        await ask.tell(parent, context.theme, tr("The settings cannot be opened"), err.why)
        return False
    return await ask.run(IntegrationSettingsDialog(context, subject, parent))


class IntegrationSettingsDialog(QDialog):
    """Saving needs a test that passed for exactly what is entered, or the operator's word to save anyway."""

    step_seen = Signal(object)

    def __init__(self, context: ConsoleContext, subject: Subject, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._context = context
        self.subject = subject
        self._passed: tuple[Entered, Identity | None] | None = None
        self._test_task: asyncio.Task[None] | None = None
        self._is_closed = False
        self._proposal = ""
        theme = context.theme
        manifest = subject.entry.manifest
        assert manifest is not None  # noqa: S101 - the catalogue gave it, or the subject was not made
        self.form = SettingsForm(
            settings_form(manifest.settings),
            FormTools(theme, self._spawn, self._ports_of(manifest)),
            self._on_edited,
            name=subject.name,
            config=subject.config,
            stored=subject.stored,
            only_secrets=subject.sign_in,
        )
        self.title = exact_height(text_label(title_of(subject), "heading", wrap=True))
        self.setWindowTitle(self.title.text())
        self.tabs = SegmentedTabs([(CONNECTION, tr("Connection")), (SYNC, tr("Sync Settings"))])
        self.tabs.setVisible(not subject.sign_in)
        self.problem = Banner(theme, "error", "")
        exact_height(self.problem.words)
        self.problem.hide()
        self.steps = CheckSteps(theme)
        self.steps.hide()
        self.pin = outline_button(theme, tr("Pin this certificate…"), "shield-check", small=True)
        self.pin.hide()
        self.test = outline_button(theme, tr("Test Connection"), "activity")
        self.cancel = outline_button(theme, tr("Cancel"))
        self.anyway = outline_button(theme, tr("Save anyway"))
        self.anyway.hide()
        self.save = primary_button(theme, save_words(subject), "" if subject.integration_id else "plus")
        self.save.setDefault(True)
        self._stack = QStackedWidget()
        self._lay_out()
        self._connect()
        self.form.focus_first()

    # Testing

    @property
    def is_testing(self) -> bool:
        return self._test_task is not None

    def entered(self) -> Entered:
        return Entered(self.form.values(), self.form.secrets())

    def _on_test_clicked(self) -> None:
        if self._test_task is not None:
            self._test_task.cancel()
        else:
            self._start_test(then_save=False)

    def _start_test(self, *, then_save: bool) -> None:
        self._clear_words()
        self._passed = None
        self.steps.begin()
        self.steps.show()
        self._test_task = self._spawn(self._test(then_save=then_save), "test")
        self._show_buttons()
        self._fit_height()

    async def _test(self, *, then_save: bool) -> None:
        entered = self.entered()
        try:
            report = await run_off_loop(partial(self._check, entered))
        except asyncio.CancelledError:
            self._unless_closed(lambda: self._on_test_stopped(tr("The test was cancelled.")))
            raise
        except (OperatorError, AdapterError) as err:
            self._show_problem(err.why)
            self.steps.hide()
            return
        finally:
            self._test_task = None
            self._unless_closed(self._show_buttons)
        self._show_report(report, entered)
        if report.ok and then_save and entered == self.entered():
            await self._save(report.identity)

    async def _check(self, entered: Entered) -> CheckReport:
        """Runs on a loop of its own; each layer comes back through a queued signal."""
        services, subject, seen = self._context.services, self.subject, self.step_seen.emit
        if subject.integration_id is None:
            return await check_settings(
                services.catalogue, subject.entry.key, entered.values, entered.secrets, services.clock, on_step=seen
            )
        desk = await asyncio.to_thread(lambda: services.desk)
        return await check_saved(
            desk,
            subject.integration_id,
            services.clock,
            values=entered.values,
            secrets=entered.secrets,
            on_step=seen,
        )

    def _on_step_seen(self, step: CheckStep) -> None:
        if self.is_testing:
            self.steps.add(step)

    def _on_test_stopped(self, words: str) -> None:
        self.steps.stop(words)
        self.anyway.show()

    def _show_report(self, report: CheckReport, entered: Entered) -> None:
        self.steps.finish(report)
        if report.ok:
            self._passed = (entered, report.identity)
            self.anyway.hide()
        else:
            self._show_failure(report)
        self._fit_height()

    def _show_failure(self, report: CheckReport) -> None:
        self.anyway.setVisible(not report.faults)
        if report.faults:
            self._show_faults(report.faults)
        elif report.error is not None:
            at_permission = bool(report.layers) and report.layers[-1].layer is Layer.PERMISSION
            words = self.form.show_error(report.error, listens=self.subject.listens, at_permission=at_permission)
            self._show_problem(words)
            self._go_to_first_error()
            self._offer_pin(report.error)

    def _offer_pin(self, error: AdapterError) -> None:
        self._proposal = error.proposal
        self.pin.setVisible(bool(self._proposal) and self.form.row("fingerprint") is not None)

    async def _pin_proposal(self) -> None:
        row = self.form.row("fingerprint")
        if await agreed_to_pin(self, self._context.theme, self._proposal) and row is not None:
            row.editor.set_value(self._proposal)
            self._start_test(then_save=False)

    # Saving

    def _on_save_clicked(self) -> None:
        if self.is_testing:
            return
        if self._passed is not None and self._passed[0] == self.entered():
            self._spawn(self._save(self._passed[1]), "save")
        else:
            self._start_test(then_save=True)

    def _on_anyway_clicked(self) -> None:
        if not self.is_testing:
            self._spawn(self._save(None), "save unchecked")

    async def _save(self, identity: Identity | None, *, accept_other_peer: bool = False) -> None:
        self._clear_words()
        self._set_busy(on=True)
        try:
            await asyncio.to_thread(self._write, self._name(), self.entered(), identity, accept_other_peer)
        except SettingsRefused as err:
            self._show_faults(err.faults)
        except NameRefused as err:
            self._show_faults((Fault(NAME, err.why),))
        except Duplicate as err:
            self._show_faults((Fault(err.field, err.why),))
        except OtherPeer as err:
            self._spawn(self._ask_other_peer(err.why, identity), "other peer")
        except (OperatorError, AdapterError) as err:
            self._show_problem(err.why)
        else:
            self._context.notify("ok", tr("{name} is saved. The engine takes it up.", name=self._name()))
            self.accept()
        finally:
            self._unless_closed(lambda: self._set_busy(on=False))

    def _write(self, name: str, entered: Entered, identity: Identity | None, accept_other_peer: bool) -> None:
        """Off the UI thread."""
        desk, subject = self._context.services.desk, self.subject
        if subject.integration_id is None:
            add(desk, subject.entry.key, name, entered.values, entered.secrets, identity=identity)
            return
        change(
            desk,
            subject.integration_id,
            name=None if subject.sign_in else name,
            values=entered.values,
            secrets=entered.secrets,
            identity=identity,
            accept_other_peer=accept_other_peer,
        )

    async def _ask_other_peer(self, why: str, identity: Identity | None) -> None:
        agreed = await ask.confirm(
            self,
            self._context.theme,
            tr("Another system answers there"),
            why,
            act=tr("The same one has moved: save"),
            destructive=True,
        )
        if agreed:
            await self._save(identity, accept_other_peer=True)

    def _name(self) -> str:
        return str(self.form.name.editor.value())

    # Showing

    def _ports_of(self, manifest: Manifest) -> Callable[[], Sequence[PortInfo]] | None:
        """The list of ports of an integration that knows adapters again."""
        if manifest.bench is None:
            return None
        return lambda: self._context.services.catalogue.bench(manifest.key).ports()

    def _on_edited(self) -> None:
        self._show_problem("")
        self.pin.hide()
        if not self.is_testing and not self.steps.isHidden() and (self._passed is None or self._is_changed()):
            self.steps.stop(tr("Changed since this test."))
            self.anyway.hide()

    def _is_changed(self) -> bool:
        return self._passed is None or self._passed[0] != self.entered()

    def _show_faults(self, faults: tuple[Fault, ...]) -> None:
        self._show_problem(self.form.show_faults(faults))
        self._go_to_first_error()

    def _go_to_first_error(self) -> None:
        row = self.form.first_error()
        if row is not None and not self.subject.sign_in:
            self.tabs.choose(self.form.tab_of(row))
        self.form.focus_first_error()

    def _show_problem(self, words: str) -> None:
        self.problem.words.setText(words)
        self.problem.setVisible(bool(words))

    def _clear_words(self) -> None:
        self.form.clear_errors()
        self._show_problem("")
        self.pin.hide()

    def _show_buttons(self) -> None:
        testing = self.is_testing
        self.test.setText(tr("Cancel the test") if testing else tr("Test Connection"))
        self._context.theme.follow(self.test, "circle-stop" if testing else "activity", "text", 16)
        self.save.setEnabled(not testing)
        self.anyway.setEnabled(not testing)

    def _set_busy(self, *, on: bool) -> None:
        for button in (self.save, self.anyway, self.test):
            button.setEnabled(not on)
        self.save.setText(tr("Saving…") if on else save_words(self.subject))

    # Making and closing

    def done(self, result: int) -> None:
        """Closing ends a running test; what it would still say has nobody to read it."""
        self._is_closed = True
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def _unless_closed(self, act: Any) -> None:
        if not self._is_closed:
            act()

    def _spawn(self, coroutine: Coroutine[Any, Any, None], name: str) -> asyncio.Task[None]:
        return self._context.tasks.start(coroutine, name=f"integration settings: {name}", owner=self)

    def _connect(self) -> None:
        self.step_seen.connect(self._on_step_seen)
        self.tabs.chosen.connect(lambda tab: self._stack.setCurrentWidget(self.form.areas[tab]))
        self.test.clicked.connect(self._on_test_clicked)
        self.cancel.clicked.connect(self.reject)
        self.anyway.clicked.connect(self._on_anyway_clicked)
        self.save.clicked.connect(self._on_save_clicked)
        self.pin.clicked.connect(lambda: self._spawn(self._pin_proposal(), "pin"))

    def _lay_out(self) -> None:
        subject = self.subject
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, 20)
        column.setSpacing(16)
        head = QHBoxLayout()
        head.setSpacing(12)
        head.addWidget(IconTile(self._context.theme, subject.entry.icon))
        words = QVBoxLayout()
        words.setSpacing(2)
        words.addWidget(self.title)
        words.addWidget(exact_height(text_label(subject.entry.description, "muted", wrap=True)))
        head.addLayout(words, 1)
        column.addLayout(head)
        column.addWidget(self.tabs)
        column.addWidget(self.problem)
        for area in self.form.areas.values():
            self._stack.addWidget(area)
        column.addWidget(self._stack, 1)
        if self.form.has_secrets and subject.kept_where:
            self.form.columns[CONNECTION].addWidget(self._kept_where())
        column.addWidget(self.steps)
        offer = QHBoxLayout()
        offer.addWidget(self.pin)
        offer.addStretch(1)
        self.steps.body.addLayout(offer)
        buttons = QHBoxLayout()
        buttons.setSpacing(10)
        buttons.addWidget(self.test)
        buttons.addStretch(1)
        for button in (self.cancel, self.anyway, self.save):
            buttons.addWidget(button)
        column.addLayout(buttons)
        self._fit_height()

    def _kept_where(self) -> QWidget:
        host = QWidget()
        row = QHBoxLayout(host)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(8)
        lock = QLabel()
        self._context.theme.follow(lock, "lock", "muted", 14)
        row.addWidget(lock)
        row.addWidget(exact_height(text_label(self.subject.kept_where, "small", wrap=True)), 1)
        return host

    def _fit_height(self) -> None:
        """As high as its content needs, at most nine tenths of the window below; once layouts have settled."""
        QTimer.singleShot(0, self, self._fit_height_now)

    def _fit_height_now(self) -> None:
        parent = self.parentWidget()
        screen = self.screen().availableGeometry()
        most = round((parent.window().height() if parent is not None else screen.height()) * HEIGHT_SHARE)
        width = min(WIDTH, round((parent.window().width() if parent is not None else WIDTH) * 0.96))
        self.setFixedWidth(width)
        inner = width - 2 * MARGIN
        content = max(
            (_height_of(column, inner) for column in self.form.columns.values()),
            default=0,
        )
        self._stack.setMinimumHeight(min(content + 8, 160))
        layout = self.layout()
        rest = layout.totalHeightForWidth(width) if layout is not None else 0
        rest -= max(self._stack.sizeHint().height(), self._stack.minimumHeight())
        self.setMaximumHeight(most)
        self.resize(width, min(most, rest + content + 8))
        QTimer.singleShot(0, self, self.form.show_first_error)


def _height_of(column: QVBoxLayout, width: int) -> int:
    return column.totalHeightForWidth(width) if column.hasHeightForWidth() else column.totalSizeHint().height()
