"""What floats over the map: the column of buttons, and what is said when there is nothing to show."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QFrame, QVBoxLayout, QWidget

from resources.i18n import tr, trn
from widgets.context import ConsoleContext
from widgets.map.live import FleetSources
from widgets.primitives import Card, EmptyState, IconButton, line, primary_button

EMPTY_WIDTH_PX = 420


class MapButtons(Card):
    """Zoom, fit and layers, at the map's upper left."""

    zoomed = Signal(bool)  # True: closer
    fit_wanted = Signal()
    layers_wanted = Signal()

    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        super().__init__(parent, margin=0)
        theme = context.theme
        column = self.body
        column.setContentsMargins(3, 3, 3, 3)
        column.setSpacing(1)
        self.closer = IconButton(theme, "plus", tr("Come closer (+)"))
        self.further = IconButton(theme, "minus", tr("Move away (−)"))
        self.fit = IconButton(theme, "maximize", tr("Show the whole fleet (F)"))
        self.layers = IconButton(theme, "layers", tr("Layers"))
        self.closer.clicked.connect(lambda: self.zoomed.emit(True))
        self.further.clicked.connect(lambda: self.zoomed.emit(False))
        self.fit.clicked.connect(self.fit_wanted)
        self.layers.clicked.connect(self.layers_wanted)
        for at, button in enumerate((self.closer, self.further, self.fit, self.layers)):
            if at:
                column.addWidget(line())
            column.addWidget(button)
        self.adjustSize()


class NothingYet(QFrame):
    """In the middle of the map while no tracker is known: what to do next."""

    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        super().__init__(parent)
        self.setProperty("card", "true")
        self.setFixedWidth(EMPTY_WIDTH_PX)
        self.button = primary_button(context.theme, tr("Open Integrations"), "plug")
        self._page = "integrations"
        self.button.clicked.connect(lambda: context.open_page(self._page))
        self.words = EmptyState(context.theme, "satellite-dish", "", "", self.button)
        self.words.text.setMinimumWidth(EMPTY_WIDTH_PX - 80)
        self.words.text.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.addWidget(self.words)
        self.hide()

    def show_next_step(self, sources: FleetSources) -> None:
        """Say what is missing: an integration, or trackers that call."""
        self.button.setText(tr("Open Trackers") if sources.waiting else tr("Open Integrations"))
        self._page = "trackers" if sources.waiting else "integrations"
        if sources.waiting:
            self.words.set_words(
                trn("{count} tracker waits", "{count} trackers wait", sources.waiting),
                tr("Give each to a vehicle on the Trackers page. What they sent already is kept and comes with them."),
            )
        elif not sources.names:
            self.words.set_words(
                tr("No vehicles yet"),
                tr("Add an integration: a GT02 listener for trackers that call this computer, or a Traccar server."),
            )
        elif sources.listening:
            self.words.set_words(
                tr("Waiting for the first position"),
                tr("Point your trackers at this computer. {where}", where=" ".join(sources.listening)),
            )
        else:
            self.words.set_words(
                tr("Waiting for the first position"),
                tr(
                    "{names} has not delivered a vehicle yet. Its state and reason are on the Integrations page.",
                    names=", ".join(sources.names),
                ),
            )
        self.adjustSize()
