"""The program's name, versions and licences."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtWidgets import QApplication, QDialog, QHBoxLayout, QPlainTextEdit, QVBoxLayout, QWidget

from resources import resource_text
from resources.i18n import tr
from widgets.primitives import outline_button, primary_button, text_label
from widgets.theme import Theme, mono_font

MARGIN = 24
_LICENCES = (
    ("Inter (SIL Open Font Licence 1.1)", "fonts/LICENSE-Inter.txt"),
    ("Lucide (ISC, parts MIT)", "icons/LICENSE-Lucide.txt"),
    ("Map data", "mapdata/ATTRIBUTION.md"),
)


class AboutDialog(QDialog):
    """``versions`` are the lines of ``--version``."""

    def __init__(self, theme: Theme, versions: Sequence[str], parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._versions = "\n".join(versions)
        self.setWindowTitle(tr("About this program"))
        self.resize(620, 520)
        column = QVBoxLayout(self)
        column.setContentsMargins(MARGIN, MARGIN, MARGIN, MARGIN)
        column.setSpacing(12)
        column.addWidget(text_label(tr("BIKO depot console"), "title"))
        purpose = tr("Trackers, fuel, supply systems and drivers of a medicines fleet in one window. Apache-2.0.")
        column.addWidget(text_label(purpose, "muted", wrap=True))
        column.addWidget(text_label(self._versions, selectable=True))
        column.addWidget(text_label(tr("Fonts, icons and maps of others"), "card-title"))
        self.licences = QPlainTextEdit("\n\n\n".join(_licence(name, file) for name, file in _LICENCES))
        self.licences.setReadOnly(True)
        self.licences.setFont(mono_font(11))
        self.licences.setAccessibleName(tr("Licences"))
        column.addWidget(self.licences, 1)
        self.copy = outline_button(theme, tr("Copy the versions"), "copy")
        self.copy.clicked.connect(self._on_copy_clicked)
        self.close_button = primary_button(theme, tr("Close"))
        self.close_button.clicked.connect(self.accept)
        buttons = QHBoxLayout()
        buttons.addWidget(self.copy)
        buttons.addStretch(1)
        buttons.addWidget(self.close_button)
        column.addLayout(buttons)

    def _on_copy_clicked(self) -> None:
        QApplication.clipboard().setText(self._versions)


def _licence(name: str, file: str) -> str:
    return f"{name}\n{'=' * len(name)}\n\n{resource_text(file)}"
