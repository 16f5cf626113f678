"""Port, kind of sensor and speed; the search for addresses; what was found."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QFormLayout,
    QHBoxLayout,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QProgressBar,
    QVBoxLayout,
)

from adapters.bench import Dialect, Found, PortInfo
from resources.i18n import tr
from widgets.primitives import (
    Card,
    IconButton,
    StatusPill,
    calm_wheel,
    centre_labels,
    outline_button,
    primary_button,
    text_label,
)
from widgets.theme import Theme

WIDTH_PX = 344
PATH = Qt.ItemDataRole.UserRole.value


class ConnectCard(Card):
    """``sensor_chosen`` carries what was found and is chosen."""

    sensor_chosen = Signal(object)

    def __init__(self, theme: Theme, dialects: Sequence[Dialect]) -> None:
        super().__init__()
        self.setFixedWidth(WIDTH_PX)
        self._dialects = {one.key: one for one in dialects}
        self.port = QComboBox()
        self.port.setEditable(True)
        self.port.setInsertPolicy(QComboBox.InsertPolicy.NoInsert)
        self.reload = IconButton(theme, "refresh-cw", tr("Look for ports again"), framed=True)
        self.dialect = QComboBox()
        for one in dialects:
            self.dialect.addItem(one.label, one.key)
        self.speed = QComboBox()
        self.open = primary_button(theme, tr("Open"), "plug")
        self.state = StatusPill(theme, "neutral", tr("Closed"))
        self.words = text_label("", "small", wrap=True, selectable=True)
        self.addresses = QLineEdit("1-8")
        self.all_speeds = QComboBox()
        self.all_speeds.addItem(tr("this speed"), False)
        self.all_speeds.addItem(tr("every speed"), True)
        self.scan = outline_button(theme, tr("Search"), "search")
        self.progress = QProgressBar()
        self.found = QListWidget()
        self.found.setAccessibleName(tr("Sensors that answered"))
        self._lay_out()
        self.dialect.currentIndexChanged.connect(lambda _at: self._show_dialect())
        self.found.currentItemChanged.connect(self._on_found)
        self._show_dialect()

    def _lay_out(self) -> None:
        body = self.body
        body.addWidget(text_label(tr("Line"), "card-title"))
        port = QHBoxLayout()
        port.setSpacing(8)
        port.addWidget(self.port, 1)
        port.addWidget(self.reload)
        body.addLayout(port)
        form = QFormLayout()
        form.setSpacing(8)
        form.setRowWrapPolicy(QFormLayout.RowWrapPolicy.WrapAllRows)  # kinds have long names
        form.addRow(tr("Kind"), calm_wheel(self.dialect))
        form.addRow(tr("Speed"), calm_wheel(self.speed))
        body.addLayout(form)
        row = QHBoxLayout()
        row.setSpacing(10)
        row.addWidget(self.open)
        row.addWidget(self.state, 0, Qt.AlignmentFlag.AlignVCenter)
        row.addStretch(1)
        body.addLayout(row)
        body.addWidget(self.words)
        body.addWidget(text_label(tr("Search"), "card-title"))
        search = QFormLayout()
        search.setSpacing(8)
        search.setLabelAlignment(Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter)
        search.addRow(tr("Addresses"), self.addresses)
        search.addRow(tr("At"), calm_wheel(self.all_speeds))
        body.addLayout(search)
        buttons = QHBoxLayout()
        buttons.addWidget(self.scan)
        buttons.addWidget(self.progress, 1)
        body.addLayout(buttons)
        self.progress.hide()
        listed = QVBoxLayout()
        listed.addWidget(self.found)
        body.addLayout(listed, 1)
        centre_labels(search)
        for field, name in (
            (self.port, tr("Port")), (self.dialect, tr("Kind of sensor")), (self.speed, tr("Speed")),
            (self.addresses, tr("Addresses to search")), (self.all_speeds, tr("Speeds to search")),
        ):  # fmt: skip
            field.setAccessibleName(name)
        edit = self.port.lineEdit()
        if edit is not None:
            edit.setPlaceholderText(tr("Port, or socket://host:port"))

    # What is shown

    def show_ports(self, ports: Sequence[PortInfo]) -> None:
        """The ports plugged in now; what was typed or chosen stays."""
        chosen = self.chosen_port
        self.port.clear()
        for one in ports:
            taken = tr(" (in use by {name})", name=one.in_use_by) if one.in_use_by else ""
            self.port.addItem(f"{one.path}  {one.description}{taken}".strip(), one.path)
        at = self.port.findData(chosen) if chosen else 0
        if at >= 0 and ports:
            self.port.setCurrentIndex(at)
        else:
            self.port.setEditText(chosen)

    @property
    def chosen_port(self) -> str:
        """The path behind the chosen line, or what was typed."""
        at = self.port.currentIndex()
        if at >= 0 and self.port.currentText() == self.port.itemText(at):
            return str(self.port.itemData(at))
        return self.port.currentText().strip()

    @property
    def chosen_dialect(self) -> Dialect:
        return self._dialects[str(self.dialect.currentData())]

    @property
    def chosen_speed(self) -> int:
        return int(self.speed.currentData() or 0)

    def wanted_addresses(self) -> list[int]:
        """``1-8,12`` as numbers within the dialect's. Raises ValueError saying what to write."""
        known = self.chosen_dialect.addresses
        found: list[int] = []
        for part in self.addresses.text().split(","):
            first, dash, last = part.strip().partition("-")
            if not first.isdecimal() or (dash and not last.isdecimal()):
                raise ValueError(tr("Write the addresses as 1-8,12."))
            found += [number for number in range(int(first), int(last or first) + 1) if number in known]
        if not found:
            raise ValueError(tr("Addresses of this kind are {first} to {last}.", first=known[0], last=known[-1]))
        return list(dict.fromkeys(found))

    def wanted_speeds(self) -> list[int]:
        return list(self.chosen_dialect.speeds) if self.all_speeds.currentData() else [self.chosen_speed]

    def show_state(self, *, is_open: bool, is_connected: bool, words: str) -> None:
        self.open.setText(tr("Close") if is_open else tr("Open"))
        if not is_open:
            self.state.set_state("neutral", tr("Closed"))
        else:
            self.state.set_state("ok" if is_connected else "error", tr("Open") if is_connected else tr("Unplugged"))
        self.words.setText(words)
        self.scan.setEnabled(is_open)
        for field in (self.port, self.dialect, self.speed, self.reload):
            field.setEnabled(not is_open)

    def show_found(self, one: Found) -> None:
        words = tr("{address} · {title}", address=one.address, title=one.title)
        item = QListWidgetItem(words + (tr(" – talks unasked") if one.talks_unasked else ""))
        item.setToolTip(tr("Address {address}, {speed} Bd", address=one.address, speed=one.speed))
        item.setData(PATH, one)
        self.found.addItem(item)
        if self.found.count() == 1:
            self.found.setCurrentItem(item)

    def _on_found(self, item: QListWidgetItem | None, _before: QListWidgetItem | None) -> None:
        if item is not None:
            self.sensor_chosen.emit(item.data(PATH))

    def _show_dialect(self) -> None:
        dialect = self.chosen_dialect
        self.speed.clear()
        for speed in dialect.speeds:
            self.speed.addItem(f"{speed:,} {tr('bit/s') if dialect.bus == 'can' else tr('Bd')}", speed)
        self.speed.setCurrentIndex(dialect.speeds.index(dialect.default_speed))
        last = min(dialect.addresses[-1], dialect.addresses[0] + 7)
        self.addresses.setText(
            f"{dialect.addresses[0]}-{last}" if len(dialect.addresses) > 1 else f"{dialect.addresses[0]}"
        )
