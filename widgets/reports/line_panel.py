"""One line of a report: each figure as filled and as entered, where it comes from, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QPushButton, QVBoxLayout, QWidget

from app.reports.checks import Finding
from app.reports.figures import BY_KEY, FIGURES, REQUIRED
from app.reports.forms import FormLine, ReportForm, SourceRow
from app.reports.states import ReportState
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.formats import NOTHING
from widgets.primitives import Banner, IconButton, clear_layout, labelled, primary_button, text_label
from widgets.reports import words
from widgets.side_panel import Facts, SidePanel, section
from widgets.theme import restyle

WIDTH_PX = 412
_FACTS = (
    ("balance", tr("Balance")),
    ("months", tr("Months of stock")),
    ("order", tr("To order")),
)


class LinePanel(SidePanel):
    """``entered`` carries the line's id, {figure: typed text} of what was changed, and the remarks."""

    entered = Signal(str, object, str)
    sources_wanted = Signal(str, str)

    def __init__(self, context: ConsoleContext) -> None:
        super().__init__(context.theme, tr("Line of the report"))
        self.setFixedWidth(WIDTH_PX)
        self._context = context
        self.line: FormLine | None = None
        self.editors: dict[str, QLineEdit] = {}
        self.filled: dict[str, QWidget] = {}
        self.openers: dict[str, IconButton] = {}
        self.remarks = QLineEdit()
        self.save: QPushButton = primary_button(context.theme, tr("Save what was entered"), "check")
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.facts = Facts(_FACTS)
        self._grid = QGridLayout()
        self._findings = QVBoxLayout()
        self._sources = QVBoxLayout()
        self.sources_title = section("")
        self._fill()

    def _fill(self) -> None:
        self._findings.setSpacing(6)
        self.column.addLayout(self._findings)
        grid = self._grid
        grid.setHorizontalSpacing(8)
        grid.setVerticalSpacing(6)
        grid.setColumnStretch(0, 1)
        for at, title in enumerate((tr("Figure"), tr("From evidence"), tr("Entered"))):
            side = Qt.AlignmentFlag.AlignRight if at == 1 else Qt.AlignmentFlag.AlignLeft
            grid.addWidget(text_label(title, "small"), 0, at, side)
        for at, figure in enumerate(FIGURES, 1):
            name = text_label(tr(figure.label))
            name.setToolTip(tr(figure.help))
            filled = text_label("", selectable=True)
            editor = QLineEdit()
            editor.setFixedWidth(80)
            editor.setAlignment(Qt.AlignmentFlag.AlignRight)
            labelled(editor, tr(figure.label), tr(figure.help))
            name.setBuddy(editor)
            editor.textEdited.connect(self._on_edited)
            editor.returnPressed.connect(self._on_save)
            opener = IconButton(self._context.theme, "layers", tr("Sources of {figure}", figure=figure.label.lower()))
            opener.clicked.connect(partial(self._open_sources, figure.key))
            self.editors[figure.key], self.filled[figure.key], self.openers[figure.key] = editor, filled, opener
            grid.addWidget(name, at, 0)
            grid.addWidget(filled, at, 1, Qt.AlignmentFlag.AlignRight)
            grid.addWidget(editor, at, 2)
            grid.addWidget(opener, at, 3)
        self.column.addLayout(grid)
        self.column.addWidget(self.sources_title)
        self._sources.setSpacing(6)
        self.column.addLayout(self._sources)
        self.column.addWidget(self.facts)
        labelled(self.remarks, tr("Remarks"))
        self.remarks.setPlaceholderText(tr("Remarks"))
        self.remarks.setMaxLength(2_000)
        self.remarks.textEdited.connect(self._on_edited)
        self.column.addWidget(self.remarks)
        self.column.addStretch(1)
        self.problem.hide()
        self.foot.addWidget(self.problem)
        self.foot.addWidget(self.save)
        self.save.clicked.connect(self._on_save)

    def show_line(self, form: ReportForm, line: FormLine, findings: Sequence[Finding]) -> None:
        is_other = self.line is None or self.line.id != line.id
        was_edited = bool(self.changes()) and not is_other
        self.line = line
        self.show_head(line.name, " · ".join(part for part in (line.code, line.unit, self._pack(line)) if part))
        self.pill.set_state(*words.class_badge(line))
        self._show_findings(findings)
        can_enter = form.report.state not in (ReportState.SENT, ReportState.ACCEPTED, ReportState.EXCUSED)
        for figure in FIGURES:
            self._show_figure(figure.key, line, keep=was_edited, can_enter=can_enter)
        if not was_edited:
            self.remarks.setText(line.remarks)
        self.remarks.setReadOnly(not can_enter)
        self.save.setVisible(can_enter)
        self._show_facts(line)
        if is_other:
            self.show_sources("", ())
            self.problem.hide()
            self.area.verticalScrollBar().setValue(0)
        self._on_edited()
        self.show()

    def changes(self) -> dict[str, str]:
        """What was typed and is not stored yet."""
        line = self.line
        if line is None:
            return {}
        return {
            key: editor.text()
            for key, editor in self.editors.items()
            if editor.text().strip() != _typed(line.entered.get(key))
        }

    def show_sources(self, figure: str, sources: Sequence[SourceRow]) -> None:
        """The records behind a number, each with its part and its age."""
        clear_layout(self._sources)
        self.sources_title.setVisible(bool(figure))
        if not figure:
            return
        label = next(one.label for one in FIGURES if one.key == figure)
        self.sources_title.setText(tr("Where {figure} comes from", figure=label.lower()))
        formats = self._context.formats
        for source in sources:
            read = tr("read {ago}", ago=formats.ago(source.read_at)) if source.read_at is not None else tr("our report")
            day = f"{source.day}, " if source.day else ""
            value = words.figure_text(formats, figure, source.value)
            self._sources.addWidget(text_label(f"{value}   {source.label}", wrap=True, selectable=True))
            self._sources.addWidget(text_label(f"{day}{read}", "small", wrap=True, selectable=True))
        if not sources:
            why = self.line.why_empty(figure) if self.line is not None else ""
            self._sources.addWidget(text_label(why or tr("It was entered by hand."), "muted", wrap=True))

    def show_problem(self, why: str, figure: str = "") -> None:
        self.problem.setText(why)
        self.problem.setVisible(bool(why))
        self.save.setEnabled(True)
        editor = self.editors.get(figure)
        if editor is not None:
            restyle(editor, invalid="true")
            editor.setFocus()

    def _show_findings(self, findings: Sequence[Finding]) -> None:
        """What is not known stands in one line: its figures say why, each at its own place."""
        clear_layout(self._findings)
        unknown = [one for one in findings if one.figure in REQUIRED and one.what.endswith("is not known.")]
        if unknown:
            names = ", ".join(tr(BY_KEY[one.figure].label).lower() for one in unknown)
            text = tr("Not known: {names}. Enter them; the sources of each say why.", names=names)
            self._findings.addWidget(Banner(self._context.theme, "error", text))
        for finding in findings:
            if finding not in unknown:
                level = words.severity_badge(finding)[0]
                self._findings.addWidget(Banner(self._context.theme, level, f"{finding.what} {finding.next_step}"))

    def _show_figure(self, key: str, line: FormLine, *, keep: bool, can_enter: bool) -> None:
        filled, editor = self.filled[key], self.editors[key]
        value = line.filled.get(key)
        filled.setText(words.figure_text(self._context.formats, key, value) if value is not None else NOTHING)  # type: ignore[attr-defined]
        filled.setToolTip(line.why_empty(key) if value is None else line.notes.get(key, ""))
        editor.setReadOnly(not can_enter)
        if not keep:
            editor.setText(_typed(line.entered.get(key)))

    def _show_facts(self, line: FormLine) -> None:
        formats, judged = self._context.formats, line.judged
        if judged.expected_closing is None:
            self.facts.show_fact("balance", tr("not known while a figure is missing"))
        else:
            expected = formats.number(judged.expected_closing, 0)
            difference = judged.difference
            off = tr("no closing balance") if difference is None else formats.number(difference, 0)
            said = tr("gives {expected}; difference {off}", expected=expected, off=off)
            self.facts.show_fact("balance", said)
        self.facts.show_fact("months", formats.number(judged.months, 1) if judged.months is not None else None)
        self.facts.show_fact("order", formats.number(judged.to_order, 0) if judged.to_order is not None else None)

    def _pack(self, line: FormLine) -> str:
        size = self._context.formats.number(line.pack_size)
        return tr("pack of {size}", size=size) if line.pack_size != 1 else ""

    def _open_sources(self, figure: str, *_checked: object) -> None:
        if self.line is not None:
            self.sources_wanted.emit(self.line.id, figure)

    def _on_edited(self, *_text: object) -> None:
        for editor in self.editors.values():
            restyle(editor, invalid="false")
        is_remark = self.line is not None and self.remarks.text().strip() != self.line.remarks
        self.save.setEnabled(bool(self.changes()) or is_remark)

    def _on_save(self) -> None:
        if self.line is not None and self.save.isEnabled() and not self.save.isHidden():
            self.save.setEnabled(False)
            self.entered.emit(self.line.id, self.changes(), self.remarks.text())


def _typed(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.10g}" if isinstance(value, float) else str(value)
