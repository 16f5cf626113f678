"""What other parameters would change: the events that appear, vanish and differ, and the used litres."""

from __future__ import annotations

from dataclasses import dataclass

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QStackedLayout, QVBoxLayout, QWidget

from app.fuel.detect.events import FuelEvent
from app.fuel.trials import StoredDays, Trial, TrialLine
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.formats import NOTHING
from widgets.primitives import Banner, EmptyState, text_label
from widgets.rows_model import Column, RowsModel
from widgets.theme import Level


@dataclass(frozen=True, slots=True)
class _Row:
    number: int
    line: TrialLine


class TrialView(QWidget):
    """Empty, at work, or a list under two sentences."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        theme = context.theme
        self._context = context
        self.is_busy = False
        self.title = text_label(tr("On the stored days"), "strong")
        self.summary = text_label("", wrap=True, selectable=True)
        self.used = text_label("", wrap=True, selectable=True)
        self.outdated = Banner(theme, "warn", tr("This was tried with other values. Try again before saving."))
        self.model = RowsModel[_Row](_columns(context), key=lambda row: row.number)
        self.table = DataTable(theme, self.model, tr("Events that would change"))
        self.model.setParent(self.table)
        self.table.set_empty(
            "circle-check", tr("No event would change"), tr("Every refuel and drain stays as it is.")
        )  # fmt: skip
        self._idle = EmptyState(
            theme, "history", tr("Not tried yet"),
            tr("Change a value, then try it on the last stored days: nothing is saved by that."),
        )  # fmt: skip
        self._busy = EmptyState(theme, "timer", tr("Trying…"), tr("The stored days are computed with both sets."))
        shown = QWidget()
        column = QVBoxLayout(shown)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(8)
        column.setAlignment(Qt.AlignmentFlag.AlignTop)
        for part in (self.title, self.summary, self.used, self.outdated):
            column.addWidget(part)
        column.addWidget(in_card(self.table), 1)
        self._shown = shown
        self._stack = QStackedLayout(self)
        for state in (self._idle, self._busy, self._shown):
            self._stack.addWidget(state)
        self.outdated.hide()

    def show_idle(self) -> None:
        self.is_busy = False
        self._stack.setCurrentWidget(self._idle)

    def show_busy(self) -> None:
        self.is_busy = True
        self._stack.setCurrentWidget(self._busy)

    def set_outdated(self, is_outdated: bool) -> None:
        self.outdated.setVisible(is_outdated)

    def show_trial(self, days: StoredDays, trial: Trial) -> None:
        formats = self._context.formats
        self.is_busy = False
        self.title.setText(
            tr("{start} to {end}", start=formats.date(days.first_ms), end=formats.date(days.to_ms))
            + " · "
            + trn("{count} reading", "{count} readings", days.readings)
        )
        count = {kind: sum(one.outcome == kind for one in trial.lines) for kind in ("appears", "vanishes", "changes")}
        self.summary.setText(
            tr(
                "{appear} appear, {vanish} vanish, {change} change, {stay} stay.", appear=count["appears"],
                vanish=count["vanishes"], change=count["changes"], stay=trial.stay,
            )
        )  # fmt: skip
        self.used.setText(_used_words(trial))
        places = [column.key for column in self.model.columns]
        self.table.view.setColumnHidden(places.index("tank"), len(days.tanks) < 2)
        self.model.apply(_Row(number, one) for number, one in enumerate(trial.lines))
        self._stack.setCurrentWidget(self._shown)


def _used_words(trial: Trial) -> str:
    if trial.used_now_l is None or trial.used_then_l is None:
        return tr("Used litres are not known on these days.")
    difference = trial.used_then_l - trial.used_now_l
    if abs(difference) < 0.05:
        return tr("Used: {litres} L, as now.", litres=f"{trial.used_now_l:,.1f}")
    return tr(
        "Used: {now} → {then} L ({difference} L).", now=f"{trial.used_now_l:,.1f}", then=f"{trial.used_then_l:,.1f}",
        difference=f"{difference:+,.1f}".replace("-", "−"),
    )  # fmt: skip


def _columns(context: ConsoleContext) -> list[Column[_Row]]:
    formats = context.formats
    return [
        Column("outcome", tr("Would"), lambda row: _outcome(row)[1], badge=_outcome, width=92),
        Column("when", tr("When"), lambda row: formats.clock(_ms(row.line.event)), lambda row: row.line.event.start_s,
               width=106, note=formats.zone_name, tooltip=lambda row: formats.time(_ms(row.line.event))),
        Column("kind", tr("What"), lambda row: tr(row.line.event.kind.capitalize()), width=72),
        Column("now", tr("Now"), lambda row: _litres(row.line.now), align="right", width=84),
        Column("then", tr("Then"), lambda row: _litres(row.line.then), align="right", width=84),
        Column("decision", tr("Decision"), lambda row: tr(row.line.decision.capitalize()) or NOTHING, width=84),
        Column("tank", tr("Tank"), lambda row: row.line.tank or NOTHING, width=80),
    ]  # fmt: skip


def _outcome(row: _Row) -> tuple[Level, str]:
    """A confirmed event that vanishes, and a false one that stays, are what to look at."""
    words: dict[str, tuple[Level, str]] = {
        "appears": ("info", tr("Appear")),
        "vanishes": ("error" if row.line.decision == "confirmed" else "neutral", tr("Vanish")),
        "changes": ("warn", tr("Change")),
    }
    return words[row.line.outcome]


def _litres(event: FuelEvent | None) -> str:
    if event is None:
        return NOTHING
    sign = "+" if event.kind == "refuel" else "−"
    return f"{sign}{event.litres:,.1f} L"


def _ms(event: FuelEvent) -> int:
    return round(event.start_s * 1000)
