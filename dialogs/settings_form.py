"""The form of a settings model: its rows on two tabs, which of them are shown, what was entered, where errors land."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from PySide6.QtWidgets import QScrollArea, QVBoxLayout, QWidget

from adapters.base import SettingSpec
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady
from app.integrations import Fault
from dialogs.settings_fields import FieldRow, FormTools, make_row
from resources.i18n import tr
from widgets.page import scroll_area
from widgets.primitives import text_label

CONNECTION, SYNC = "connection", "sync"
NAME = "name"
BESIDE_SCROLL_BAR = 8
_ADDRESS_KINDS = ("url", "host", "serial_port", "file")

_NAME_SPEC = SettingSpec(
    name=NAME,
    label="Name",
    kind="text",
    required=True,
    default="",
    help="By which you will know it on every page.",
    example="",
    unit="",
    choices={},
    shown_when={},
    tab=CONNECTION,
    minimum=None,
    maximum=None,
)


class SettingsForm:
    """``areas`` are the two tabs' contents. ``config`` is what is saved already; ``stored`` names secrets kept."""

    def __init__(
        self,
        specs: Sequence[SettingSpec],
        tools: FormTools,
        on_change: Callable[[], None],
        *,
        name: str,
        config: Mapping[str, Any],
        stored: frozenset[str],
        only_secrets: bool = False,
        is_named: bool = True,
    ) -> None:
        """``is_named``: it is for one of several, which have names."""
        self._config = dict(config)
        self._on_change = on_change
        self.only_secrets = only_secrets
        self._is_named = is_named and not only_secrets
        self.name = make_row(_NAME_SPEC, tools)
        self.name.editor.set_value(name)
        wanted = [spec for spec in specs if spec.is_secret or not only_secrets]
        self.rows = {spec.name: make_row(spec, tools) for spec in wanted}
        for row in self.rows.values():
            if row.spec.name in stored:
                row.editor.set_stored()
            elif row.spec.name in config and not row.spec.is_secret:
                row.editor.set_value(config[row.spec.name])
        self.areas: dict[str, QScrollArea] = {}
        self.columns: dict[str, QVBoxLayout] = {}
        for tab in (CONNECTION, SYNC):
            self.areas[tab], self.columns[tab] = self._area(tab)
        for row in (self.name, *self.rows.values()):
            row.editor.changed.connect(self._on_edited)
        self._show_rows()

    def values(self) -> dict[str, Any]:
        """What was entered in the rows that are shown; never a secret."""
        return {name: row.editor.value() for name, row in self._shown().items() if not row.spec.is_secret}

    def secrets(self) -> dict[str, str]:
        """What was typed into secret rows that are shown; those left empty stay as they are stored."""
        found = {name: row.editor.value() for name, row in self._shown().items() if row.spec.is_secret}
        return {name: str(value) for name, value in found.items() if value}

    @property
    def has_secrets(self) -> bool:
        return any(row.spec.is_secret for row in self.rows.values())

    def clear_errors(self) -> None:
        for row in (self.name, *self.rows.values()):
            row.clear_error()

    def show_faults(self, faults: Sequence[Fault]) -> str:
        """Each at its field; returns what belongs to none that is shown, as one text for the top of the form."""
        homeless = []
        for fault in faults:
            row = self.row(fault.field)
            if row is None:
                homeless.append(fault.why)
            else:
                row.show_error(fault.why)
        self.focus_first_error()
        return "\n".join(homeless)

    def show_error(self, error: AdapterError, *, listens: bool, at_permission: bool) -> str:
        """A failed test at the field that can mend it; returns the text for the top where none can."""
        row = self._row_to_blame(error, listens=listens, at_permission=at_permission)
        if row is None:
            return error.why
        row.show_error(error.why)
        self.focus_first_error()
        return ""

    def row(self, field: str) -> FieldRow | None:
        """The row of a field where it can be seen on one of the tabs."""
        if field == NAME and self._is_named:
            return self.name
        return self._shown().get(field)

    def tab_of(self, row: FieldRow) -> str:
        return SYNC if row.spec.tab == SYNC and not self.only_secrets else CONNECTION

    def first_error(self) -> FieldRow | None:
        return next((row for row in (self.name, *self.rows.values()) if row.error_text), None)

    def focus_first_error(self) -> None:
        """To be called again once its tab is in front."""
        row = self.first_error()
        if row is not None:
            row.editor.input.setFocus()
            self.show_first_error()

    def show_first_error(self) -> None:
        """Scroll to it, once the layouts have made room for its words."""
        row = self.first_error()
        if row is not None:
            self.areas[self.tab_of(row)].ensureWidgetVisible(row, 0, 12)

    def focus_first(self) -> None:
        """On the first row that still needs something, else on the first."""
        rows = [row for row in self._shown().values() if self.tab_of(row) == CONNECTION]
        empty = [row for row in rows if row.editor.value() in ("", None) and (row.spec.required or row.spec.is_secret)]
        row = (empty or rows or [self.name])[0]
        row.editor.input.setFocus()

    def _row_to_blame(self, error: AdapterError, *, listens: bool, at_permission: bool) -> FieldRow | None:
        shown = self._shown()
        if error.field:
            return self.row(error.field)
        if isinstance(error, AuthFailed) and not at_permission:
            return next((row for row in shown.values() if row.spec.is_secret), None)
        if isinstance(error, NotReady | BadReply):
            kinds = ("port", "serial_port") if listens else _ADDRESS_KINDS
            return next((row for kind in kinds for row in shown.values() if row.spec.kind == kind), None)
        return None

    def _shown(self) -> dict[str, FieldRow]:
        now = {**self._config, **{name: row.editor.value() for name, row in self.rows.items()}}
        return {name: row for name, row in self.rows.items() if _is_shown(row.spec, now)}

    def _on_edited(self) -> None:
        self._show_rows()
        self._on_change()

    def _show_rows(self) -> None:
        shown = self._shown()
        for name, row in self.rows.items():
            row.setVisible(name in shown)

    def _area(self, tab: str) -> tuple[QScrollArea, QVBoxLayout]:
        area, column = scroll_area(margin=0)
        content: QWidget | None = column.parentWidget()
        if content is not None:
            bar = area.verticalScrollBar()
            bar.rangeChanged.connect(
                lambda _least, most: column.setContentsMargins(0, 4, BESIDE_SCROLL_BAR if most else 0, 4)
            )
            column.setContentsMargins(0, 4, 0, 4)
        column.setSpacing(16)
        if tab == CONNECTION and self._is_named:
            column.addWidget(self.name)
        rows = [row for row in self.rows.values() if self.tab_of(row) == tab]
        for row in rows:
            column.addWidget(row)
        if tab == SYNC and not rows:
            words = tr("Nothing to set here: its devices send by themselves, whenever they have something to say.")
            column.addWidget(text_label(words, "muted", wrap=True))
        return area, column


def _is_shown(spec: SettingSpec, now: Mapping[str, Any]) -> bool:
    return all(str(now.get(field)) in values for field, values in spec.shown_when.items())
