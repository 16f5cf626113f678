"""Everything about the chosen alarm: what it rests on, what it explains, what was said, and what can be done."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QHBoxLayout, QLineEdit, QMenu, QPushButton, QVBoxLayout, QWidget

from app.alarms.listing import HISTORY, SHELVED, AlarmListing
from app.alarms.words import ENDED_BY_HAND, Kind
from resources.i18n import tr, trn
from widgets.alarms import words
from widgets.alarms.table import Reader
from widgets.primitives import (
    Banner,
    IconButton,
    StatusPill,
    clear_layout,
    line,
    link_button,
    outline_button,
    primary_button,
    text_label,
)
from widgets.side_panel import Facts, SidePanel, section

ACTS = ("acknowledge", "end", "shelve", "unshelve", "assign", "comment", "map", "fuel", "events", "integration", "rule")
MOST_FOLDED = 12
END_TIP = tr("Not every tracker tells that its power is back. Say so once you know.")

_LABELS = (
    ("began", tr("Began")),
    ("last", tr("Last repeat")),
    ("repeats", tr("Repeats")),
    ("ended", tr("Ended")),
    ("vehicle", tr("Vehicle")),
    ("device", tr("Tracker")),
    ("place", tr("Place")),
    ("seen", tr("Seen to")),
    ("assigned", tr("Assigned to")),
    ("shelved", tr("Shelved")),
    ("rule", tr("Rule")),
)


class AlarmPanel(SidePanel):
    """``act_wanted`` carries one of :data:`ACTS` and the alarm; ``said`` a comment; ``wanted`` another alarm's id."""

    act_wanted = Signal(str, object)
    said = Signal(object, str)
    wanted = Signal(str)

    def __init__(self, reader: Reader) -> None:
        theme = reader.context.theme
        super().__init__(theme, tr("Alarm"))
        self._reader = reader
        self._theme = theme
        self.row: AlarmListing | None = None
        self._folded: Sequence[AlarmListing] = ()
        self._cause: AlarmListing | None = None
        self.detail = text_label("", wrap=True, selectable=True)
        self.advice = Banner(theme, "info", "")
        self.priority = StatusPill(theme)
        self.facts = Facts(_LABELS)
        self.evidence = QVBoxLayout()
        self.folded = QVBoxLayout()
        self.comments = QVBoxLayout()
        self.comment = QLineEdit()
        self.send = IconButton(theme, "message-circle", tr("Add the comment"), framed=True)
        self.acknowledge = primary_button(theme, tr("Acknowledge"), "check")
        self.shelve = outline_button(theme, tr("Shelve…"), "clock")
        self.more = IconButton(theme, "ellipsis", tr("More acts"), framed=True)
        self.links: dict[str, QPushButton] = {}
        self._fill()
        reader.context.formats.changed.connect(self._show)

    def _fill(self) -> None:
        for layout in (self.evidence, self.folded, self.comments):
            layout.setSpacing(5)
        self.column.addWidget(self.detail)
        self.column.addWidget(self.advice)
        self.column.addWidget(self.facts)
        self._evidence_part = _part(tr("Evidence"), self.evidence)
        self._folded_part = _part("", self.folded)
        for part in (self._evidence_part, self._folded_part):
            self.column.addWidget(part)
        self.column.addWidget(_part(tr("Comments"), self.comments))
        row = QHBoxLayout()
        row.setSpacing(8)
        self.comment.setPlaceholderText(tr("What should whoever comes next know?"))
        self.comment.setAccessibleName(tr("Comment"))
        self.comment.setMaxLength(4_000)
        row.addWidget(self.comment, 1)
        row.addWidget(self.send)
        self.column.addLayout(row)
        self.column.addStretch(1)
        links = QHBoxLayout()
        links.setSpacing(8)
        for act, text, icon in (
            ("map", tr("On the map"), "map-pin"),
            ("fuel", tr("Fuel event"), "fuel"),
            ("events", tr("Events"), "activity"),
            ("integration", tr("Integration"), "plug"),
        ):
            button = self.links[act] = outline_button(self._theme, text, icon, small=True)
            button.clicked.connect(partial(self._want, act))
            links.addWidget(button)
        links.addStretch(1)
        self.foot.addLayout(links)
        last = QHBoxLayout()
        last.setSpacing(8)
        last.addWidget(self.acknowledge, 1)
        last.addWidget(self.shelve)
        last.addWidget(self.more)
        self.foot.addLayout(last)
        self.acknowledge.clicked.connect(self._on_acknowledge_clicked)
        self.shelve.clicked.connect(lambda: self._want("unshelve" if self._is(SHELVED) else "shelve"))
        self.more.clicked.connect(self._open_more)
        self.comment.returnPressed.connect(self._say)
        self.send.clicked.connect(self._say)

    def show_alarm(self, row: AlarmListing, folded: Sequence[AlarmListing], cause: AlarmListing | None) -> None:
        """An alarm with those that it explains, and the one that explains it."""
        if self.row is None or self.row.id != row.id:
            self.area.verticalScrollBar().setValue(0)
            self.comment.clear()
        self.row, self._folded, self._cause = row, folded, cause
        self._show()
        self.show()

    def tick(self) -> None:
        """Ages grow."""
        row = self.row
        if row is None:
            return
        formats, now_ms = self._reader.context.formats, self._reader.now_ms()
        level, word = words.state_badge(row, now_ms, formats)
        word = f"{words.priority(row)} · {word}"
        if (level, word) != (self.pill.level, self.pill.word):
            self.pill.set_state(level, word)
        began = tr("{time}, {age} ago", time=formats.time(row.raised_at_ms), age=words.age(row, now_ms, formats))
        self.facts.show_fact("began", began)

    def close_panel(self) -> None:
        self._reader.context.formats.changed.disconnect(self._show)

    def menu(self) -> QMenu:
        """Every act that this alarm allows, also for the table's context menu."""
        menu = QMenu(self)
        if self.row is not None:
            for act, text, is_apart in acts_of(self.row, self._reader.now_ms()):
                if is_apart:
                    menu.addSeparator()
                menu.addAction(text).triggered.connect(partial(self._want, act))
        return menu

    def _show(self) -> None:
        row = self.row
        if row is None:
            return
        now_ms = self._reader.now_ms()
        self.show_head(row.title, words.kind(row))
        self.detail.setText(row.detail)
        self.advice.words.setText(row.advice)
        self.advice.setVisible(bool(row.advice) and not row.is_over)
        self._show_facts(row)
        self._show_evidence(row)
        self._show_relatives()
        self._show_comments(row)
        is_seen, can_end = row.acknowledged_at_ms is not None, can_be_ended(row)
        self.acknowledge.setEnabled(not is_seen or can_end)
        self.acknowledge.setText(
            tr("Acknowledge") if not is_seen else tr("Power is back") if can_end else tr("Seen to")
        )
        self.acknowledge.setToolTip(END_TIP if is_seen and can_end else "")
        is_shelved = row.group(now_ms) == SHELVED
        self.shelve.setText(tr("Take back") if is_shelved else tr("Shelve…"))
        self.shelve.setEnabled(row.group(now_ms) != HISTORY)
        wanted = link_of(row)
        for act, button in self.links.items():
            button.setVisible(act in wanted)
        self.tick()

    def _show_facts(self, row: AlarmListing) -> None:
        formats, show = self._reader.context.formats, self.facts.show_fact
        show("last", formats.time(row.last_at_ms) if row.repeats else None)
        often = tr("{n}, it flaps", n=row.repeats) if row.repeats >= words.OFTEN else f"{row.repeats:,}"
        show("repeats", often if row.repeats else None)
        show("ended", formats.time(row.cleared_at_ms) if row.cleared_at_ms is not None else None)
        show("vehicle", row.vehicle)
        show("device", row.device)
        show("place", words.place(row))
        seen = None
        if row.acknowledged_at_ms is not None:
            seen = tr("{who}, {time}", who=row.acknowledged_by, time=formats.time(row.acknowledged_at_ms))
        show("seen", seen)
        show("assigned", row.assigned_to or None)
        shelved = None
        if row.shelved_until_ms is not None:
            until = formats.time(row.shelved_until_ms)
            shelved = tr("until {until}: {reason}", until=until, reason=row.shelved_reason)
        show("shelved", shelved)
        show("rule", row.rule)

    def _show_evidence(self, row: AlarmListing) -> None:
        clear_layout(self.evidence)
        formats = self._reader.context.formats
        facts = [(str(one[0]), words.fact(one[1], str(one[2]), formats)) for one in row.evidence if len(one) == 3]
        facts = [(name, text) for name, text in facts if name != "Rule"]
        grid = Facts([(str(at), tr(name)) for at, (name, _text) in enumerate(facts)])
        for at, (_name, text) in enumerate(facts):
            grid.show_fact(str(at), text)
        self.evidence.addWidget(grid)
        self._evidence_part.setVisible(bool(facts))

    def _show_relatives(self) -> None:
        clear_layout(self.folded)
        heading = self._folded_part.findChild(QWidget, "heading")
        related = [self._cause] if self._cause is not None else list(self._folded)
        self._folded_part.setVisible(bool(related))
        if heading is not None and related:
            count = len(related)
            text = (
                tr("Explained by") if self._cause else trn("Explains {count} alarm", "Explains {count} alarms", count)
            )
            heading.setText(text)  # type: ignore[attr-defined]
        for one in related[:MOST_FOLDED]:
            button = link_button(self._theme, one.title.replace("&", "&&"), small=True)
            button.clicked.connect(partial(self._show_other, one.id))
            self.folded.addWidget(button, 0, Qt.AlignmentFlag.AlignLeft)
        if len(related) > MOST_FOLDED:
            self.folded.addWidget(text_label(tr("and {n} more", n=f"{len(related) - MOST_FOLDED:,}"), "small"))

    def _show_comments(self, row: AlarmListing) -> None:
        clear_layout(self.comments)
        formats = self._reader.context.formats
        for one in row.comments:
            head = f"{one.get('who', '')}  {formats.time(int(one.get('at_ms', 0)))}"
            self.comments.addWidget(text_label(head, "small", wrap=True))
            self.comments.addWidget(text_label(str(one.get("text", "")), wrap=True, selectable=True))
        if not row.comments:
            self.comments.addWidget(text_label(tr("None yet."), "small"))

    def _on_acknowledge_clicked(self) -> None:
        """The next step: to see to it, and where its end may never be told, to say that it is over."""
        row = self.row
        self._want("acknowledge" if row is None or row.acknowledged_at_ms is None else "end")

    def _show_other(self, alarm_id: str, *_checked: object) -> None:
        self.wanted.emit(alarm_id)

    def _say(self) -> None:
        text = self.comment.text().strip()
        if text and self.row is not None:
            self.said.emit(self.row, text)

    def _open_more(self) -> None:
        menu = self.menu()
        menu.aboutToHide.connect(menu.deleteLater)
        menu.popup(self.more.mapToGlobal(self.more.rect().topLeft()))

    def _is(self, group: str) -> bool:
        return self.row is not None and self.row.group(self._reader.now_ms()) == group

    def _want(self, act: str, *_checked: object) -> None:
        if self.row is not None:
            self.act_wanted.emit(act, self.row)


def can_be_ended(row: AlarmListing) -> bool:
    """Whether the operator may say that it is over: it stands, and its tracker may never tell."""
    return row.kind in ENDED_BY_HAND and row.cleared_at_ms is None


def acts_of(row: AlarmListing, now_ms: int) -> list[tuple[str, str, bool]]:
    """(act, words, whether a line divides it from what is above) for one alarm."""
    group = row.group(now_ms)
    found: list[tuple[str, str, bool]] = []
    if row.acknowledged_at_ms is None:
        found.append(("acknowledge", tr("Acknowledge\tA"), False))
    if can_be_ended(row):
        found.append(("end", tr("Power is back"), False))
    if group == SHELVED:
        found.append(("unshelve", tr("Take back\tS"), False))
    elif group != HISTORY:
        found.append(("shelve", tr("Shelve…\tS"), False))
    found.append(("assign", tr("Assign…\tG"), False))
    found.append(("comment", tr("Comment…\tC"), False))
    texts = {
        "map": tr("Show on the map"),
        "fuel": tr("Open the fuel event"),
        "events": tr("Events of the tracker"),
        "integration": tr("Open the integration"),
    }
    for at, act in enumerate(link_of(row)):
        found.append((act, texts[act], at == 0))
    found.append(("rule", tr("Open the rule…"), True))
    return found


def link_of(row: AlarmListing) -> list[str]:
    """Which other pages know more."""
    links = []
    if row.vehicle_id or row.device:
        links.append("map")
    if row.fuel_event_id:
        links.append("fuel")
    elif row.device:
        links.append("events")
    if row.kind in {Kind.INTEGRATION_DOWN, Kind.SENSOR_SILENT} and row.integration_id:
        links.append("integration")
    return links


def _part(title: str, layout: QVBoxLayout) -> QWidget:
    host = QWidget()
    column = QVBoxLayout(host)
    column.setContentsMargins(0, 0, 0, 0)
    column.setSpacing(8)
    column.addWidget(line())
    heading = section(title)
    heading.setObjectName("heading")
    column.addWidget(heading)
    column.addLayout(layout)
    return host
