"""What is drawn on the map: parts of the shipped map, fences and events, and the user's own files."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtWidgets import QCheckBox, QDialog, QHBoxLayout, QSizePolicy, QVBoxLayout, QWidget

from resources.i18n import tr
from widgets import ask
from widgets.context import ConsoleContext
from widgets.map.layer_errors import LayerRefused
from widgets.map.layers import UserLayer
from widgets.map.page import MapPage
from widgets.primitives import Badge, IconButton, clear_layout, line, outline_button, text_label
from widgets.primitives.tips import plain_tip

FILTERS = ("Map layers (*.mbtiles *.geojson *.json)", "MBTiles (*.mbtiles)", "GeoJSON (*.geojson *.json)")
WIDTH_PX = 560


class MapLayersDialog(QDialog):
    """Every change shows at once; there is nothing to confirm."""

    def __init__(self, context: ConsoleContext, page: MapPage) -> None:
        super().__init__(page)
        self._context = context
        self._page = page
        self.setWindowTitle(tr("Map layers"))
        self.setMinimumWidth(WIDTH_PX)
        self.add = outline_button(context.theme, tr("Add a file…"), "plus")
        self.add.clicked.connect(lambda: page.spawn(self._ask_for_file(), "add a map layer"))
        self.problem = text_label("", "error", wrap=True, selectable=True)
        self.problem.hide()
        self.boxes: dict[str, QCheckBox] = {}
        self._rows = QVBoxLayout()
        self._lay_out()
        self._show_rows()

    def _lay_out(self) -> None:
        column = QVBoxLayout(self)
        column.setContentsMargins(24, 22, 24, 20)
        column.setSpacing(12)
        column.addWidget(text_label(tr("Shown on the map"), "heading"))
        shown = self._page.shown
        for key, label in (
            ("names", tr("Names of places")),
            ("rivers", tr("Rivers and lakes")),
            ("state_borders", tr("State borders")),
            ("fences", tr("Geofences")),
            ("events", tr("Events of the last 24 hours")),
            ("phones", tr("Drivers' phones")),
        ):
            box = QCheckBox(label)
            box.setChecked(bool(getattr(shown, key)))
            box.toggled.connect(self._setter(key))
            self.boxes[key] = box
            column.addWidget(box)
        column.addWidget(line())
        column.addWidget(text_label(tr("Your own layers"), "heading"))
        column.addWidget(
            text_label(
                tr(
                    "The shipped map has no roads. Add raster tiles (MBTiles) or lines, areas and points (GeoJSON); "
                    "the files stay where they are and work without a network."
                ),
                "muted",
                wrap=True,
            )
        )
        self._rows.setSpacing(8)
        column.addLayout(self._rows)
        column.addWidget(self.problem)
        buttons = QHBoxLayout()
        close = outline_button(self._context.theme, tr("Close"))
        close.clicked.connect(self.accept)
        buttons.addWidget(self.add)
        buttons.addStretch(1)
        buttons.addWidget(close)
        column.addStretch(1)
        column.addLayout(buttons)

    def _setter(self, key: str) -> Callable[[bool], None]:
        return lambda is_on: self._page.show_part(key, is_on)

    def _show_rows(self) -> None:
        clear_layout(self._rows)
        for item in reversed(self._page.layers.items):  # the topmost first, as on the map
            self._rows.addWidget(self._row(item))

    def _row(self, item: UserLayer) -> QWidget:
        theme, layers = self._context.theme, self._page.layers
        host = QWidget()
        row = QHBoxLayout(host)
        row.setContentsMargins(0, 0, 0, 0)
        box = QCheckBox(item.path.name)
        box.setChecked(item.visible)
        box.setEnabled(item.layer is not None)
        box.setToolTip(plain_tip(str(item.path)))
        box.toggled.connect(lambda is_on: layers.set_visible(item, is_on))
        words = QVBoxLayout()
        words.setSpacing(0)
        words.addWidget(box)
        about = text_label(item.problem or item.about, "error" if item.problem else "small", wrap=True, selectable=True)
        about.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Minimum)
        words.addWidget(about)
        row.addLayout(words, 1)
        if item.problem:
            row.addWidget(Badge(tr("not shown"), "error"))
        for icon, name, act in (
            ("arrow-up", tr("Draw above the next layer"), lambda: layers.move(item, 1)),
            ("arrow-down", tr("Draw below the next layer"), lambda: layers.move(item, -1)),
            ("trash-2", tr("Take off the map (the file stays)"), lambda: layers.remove(item)),
        ):
            button = IconButton(theme, icon, name)
            button.clicked.connect(self._then_rows(act))
            row.addWidget(button)
        return host

    def _then_rows(self, act: Callable[[], None]) -> Callable[[], None]:
        def run() -> None:
            act()
            self._show_rows()

        return run

    async def _ask_for_file(self) -> None:
        path = await ask.open_file(self, tr("Add a map layer"), FILTERS)
        if path is None:
            return
        self.problem.hide()
        self.add.setEnabled(False)
        try:
            await self._page.layers.add(path)
        except LayerRefused as err:
            self.problem.setText(str(err))
            self.problem.show()
        finally:
            self.add.setEnabled(True)
        self._show_rows()


async def map_layers(context: ConsoleContext, page: MapPage) -> None:
    """Let the operator choose what the map shows besides vehicles; returns when the dialog is closed."""
    await ask.run(MapLayersDialog(context, page))
