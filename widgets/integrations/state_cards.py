"""The cards of the detail view: how it is, how far its streams were read, what was counted."""

from __future__ import annotations

from collections.abc import Mapping

from PySide6.QtCore import Qt
from PySide6.QtWidgets import QGridLayout, QHBoxLayout, QLabel, QWidget

from adapters.base import Manifest
from app.catalogue import Entry
from app.clock import utc_now
from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.integrations.reading import Details, StreamFacts
from widgets.integrations.words import counter_label, explain, next_try_words
from widgets.primitives import Card, clear_layout, exact_height, link_button, text_label

LABEL_WIDTH = 132


class FactList(QWidget):
    """Muted names at the left, values at the right that can be selected and copied."""

    def __init__(self) -> None:
        super().__init__()
        self._grid = QGridLayout(self)
        self._grid.setContentsMargins(0, 0, 0, 0)
        self._grid.setHorizontalSpacing(16)
        self._grid.setVerticalSpacing(7)
        self._grid.setColumnStretch(1, 1)
        self._grid.setColumnMinimumWidth(0, LABEL_WIDTH)
        self._values: dict[str, QLabel] = {}

    def set_facts(self, facts: Mapping[str, str]) -> None:
        """Rows in this order; the labels stay where the same facts are told again."""
        if list(facts) != list(self._values):
            clear_layout(self._grid)
            self._values = {}
            for number, name in enumerate(facts):
                value = exact_height(text_label("", wrap=True, selectable=True))
                value.setAccessibleName(name)
                self._grid.addWidget(text_label(name, "muted"), number, 0, Qt.AlignmentFlag.AlignTop)
                self._grid.addWidget(value, number, 1)
                self._values[name] = value
        for name, text in facts.items():
            if self._values[name].text() != text:
                self._values[name].setText(text)

    def facts(self) -> dict[str, str]:
        """What is shown."""
        return {name: label.text() for name, label in self._values.items()}


class StateCard(Card):
    """Phase, age, reason, next try, who answers, what it listens on, and where its data can be seen."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self._details: Details | None = None
        self.why = exact_height(text_label("", wrap=True, selectable=True))
        self.list = FactList()
        self.trackers = link_button(context.theme, tr("Trackers"), "satellite-dish", small=True)
        self.map = link_button(context.theme, tr("Live map"), "map", small=True)
        self.body.addWidget(text_label(tr("State"), "card-title"))
        self.body.addWidget(self.why)
        self.body.addWidget(self.list)
        self.body.addStretch(1)
        links = QHBoxLayout()
        links.setSpacing(6)
        links.addWidget(text_label(tr("See its data:"), "muted"))
        links.addWidget(self.trackers)
        links.addWidget(self.map)
        links.addStretch(1)
        self.body.addLayout(links)
        context.formats.ticked.connect(self._tick)
        context.formats.changed.connect(self._tick)

    def show_details(self, details: Details, entry: Entry | None) -> None:
        self._details = details
        self.why.setText(explain(details.row, entry.description if entry is not None else ""))
        self.list.set_facts(self._facts(details))

    def _tick(self) -> None:
        if self._details is not None and self.isVisible():
            self.list.set_facts(self._facts(self._details))

    def _facts(self, details: Details) -> dict[str, str]:
        formats, row, now = self._context.formats, details.row, utc_now()
        since = formats.span(max(0.0, (now - row.since).total_seconds()))
        facts = {tr("Since"): tr("{span}, {at}", span=since, at=formats.time(row.since))}
        if row.next_try is not None:
            facts[tr("Next try")] = next_try_words(row.next_try, formats, now)
        if details.failures:
            facts[tr("Failed in a row")] = trn("{count} try", "{count} tries", details.failures)
        facts[tr("Newest data")] = self._moment(row.last_data)
        facts[tr("Last sync")] = self._moment(row.last_sync)
        for key, label in (("identity", tr("Answers")), ("version", tr("Version")), ("connected", tr("Connection"))):
            if details.facts.get(key) and details.facts[key] != row.reason:
                facts[label] = str(details.facts[key])
        return facts

    def _moment(self, at: object) -> str:
        formats = self._context.formats
        if at is None:
            return tr("never")
        return f"{formats.ago(at)}, {formats.time(at)}"  # type: ignore[arg-type]


class StreamsCard(Card):
    """Each stream with its cursor and how long ago that was saved."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self._streams: tuple[StreamFacts, ...] = ()
        self.list = FactList()
        self.nothing = text_label("", "muted", wrap=True)
        self.body.addWidget(text_label(tr("Streams"), "card-title"))
        self.body.addWidget(self.nothing)
        self.body.addWidget(self.list)
        self.body.addStretch(1)
        context.formats.ticked.connect(self._tick)
        context.formats.changed.connect(self._tick)

    def show_details(self, details: Details, manifest: Manifest | None) -> None:
        self._streams = details.streams
        listens = manifest is not None and "pull" not in manifest.modes
        self.nothing.setText(
            tr("It listens: its devices send by themselves, so there is nothing to read on from.")
            if listens
            else tr("Nothing was read yet.")
        )
        self.nothing.setVisible(not details.streams)
        self.list.setVisible(bool(details.streams))
        self._tick()

    def _tick(self) -> None:
        self.list.set_facts({stream.label: self._words(stream) for stream in self._streams})

    def _words(self, stream: StreamFacts) -> str:
        if stream.saved_at is None:
            return tr("not read yet")
        ago = self._context.formats.ago(stream.saved_at)
        if stream.parts > 1:
            return tr("{ago}, {count} cursors", ago=ago, count=stream.parts)
        if not stream.cursor or stream.cursor[0] in "{[":  # a list of names, of no use to an eye
            return ago
        return tr("{ago}, up to {cursor}", ago=ago, cursor=short_cursor(stream.cursor))


class CountersCard(Card):
    """What is no record but was counted: skipped bytes, bad checksums, refused connections."""

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__()
        self._context = context
        self.list = FactList()
        self.body.addWidget(text_label(tr("Counted in 30 days"), "card-title"))
        self.nothing = text_label(tr("Nothing out of the ordinary was counted."), "muted", wrap=True)
        self.body.addWidget(self.nothing)
        self.body.addWidget(self.list)

    def show_counters(self, counters: Mapping[str, int]) -> None:
        number = self._context.formats.number
        self.list.set_facts({counter_label(name): number(count) for name, count in sorted(counters.items()) if count})
        self.nothing.setVisible(not any(counters.values()))
        self.list.setVisible(any(counters.values()))


def short_cursor(value: str) -> str:
    """A cursor as a person can compare it; long ones are cut in the middle."""
    value = " ".join(value.split())
    return value if len(value) <= 48 else f"{value[:30]}…{value[-12:]}"
