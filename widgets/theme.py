"""Colours, icons and the style sheet: light, dark, high contrast, or whatever the system says."""

from __future__ import annotations

import json
from pathlib import Path
from string import Template
from typing import Literal, get_args

from PySide6.QtCore import QByteArray, QDir, QObject, QSize, Qt, QTemporaryDir, Signal
from PySide6.QtGui import QColor, QFont, QFontDatabase, QGuiApplication, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QAbstractButton, QApplication, QLabel, QPushButton, QWidget

from resources import resource_path, resource_text

ThemeMode = Literal["light", "dark", "contrast", "system"]
Level = Literal["ok", "warn", "error", "info", "neutral"]
BASE_FONT_PX = 13
ICON_GAP = 5
ICON_STROKE = "1.75"  # Lucide draws with 2; thinner looks lighter at 16 px
_SHEET_IMAGES = {
    "chevron-down": "muted",
    "chevron-up": "muted",
    "check": "on_primary",
}


class Theme(QObject):
    """The one source of colours and icons. ``changed`` is emitted after the application was re-styled."""

    changed = Signal()

    def __init__(self, app: QApplication, mode: ThemeMode = "system") -> None:
        super().__init__(app)
        self._app = app
        self._mode: ThemeMode = mode
        self._pixmaps: dict[tuple[str, str, int, float], QPixmap] = {}
        self._images = QTemporaryDir()  # recoloured images for the style sheet, which can only name files
        self.tokens: dict[str, str] = {}
        QGuiApplication.styleHints().colorSchemeChanged.connect(self._on_system_scheme_changed)
        self._apply()

    @property
    def mode(self) -> ThemeMode:
        """What was asked for; ``system`` follows the desktop."""
        return self._mode

    @property
    def is_dark(self) -> bool:
        return self.tokens["scheme"] == "dark"

    def set_mode(self, mode: ThemeMode) -> None:
        """Switch and re-style everything that is shown. Raises ValueError for an unknown mode."""
        if mode not in get_args(ThemeMode):
            raise ValueError(f"unknown theme {mode}")
        self._mode = mode
        self._apply()

    def color(self, token: str) -> QColor:
        """The colour of a token, e.g. ``primary`` or ``ok_soft``."""
        return QColor(self.tokens[token])

    def pixmap(self, name: str, color: str = "text", size: int = 16, ratio: float | None = None) -> QPixmap:
        """A Lucide icon in a token's colour, ``size`` logical pixels square. Raises FileNotFoundError."""
        ratio = ratio or self._app.devicePixelRatio()
        shade = self.tokens[color]
        key = (name, shade, size, ratio)
        if key not in self._pixmaps:
            self._pixmaps[key] = render_svg(_recoloured(name, shade), size, ratio)
        return self._pixmaps[key]

    def icon(self, name: str, color: str = "text", size: int = 16) -> QIcon:
        """The same as a QIcon. It keeps its colour: re-make it on ``changed``, or use :func:`follow`."""
        icon = QIcon(self.pixmap(name, color, size))
        icon.addPixmap(self.pixmap(name, "muted", size), QIcon.Mode.Disabled)
        return icon

    def follow(self, widget: QAbstractButton | QLabel, name: str, color: str = "text", size: int = 16) -> None:
        """Show an icon on a button or label and keep it in the theme's colour; calling again replaces it."""
        widget.setProperty("themeIcon", [name, color, size])
        if not widget.property("themeFollows"):
            widget.setProperty("themeFollows", True)
            self.changed.connect(_IconFollower(widget, self).apply)
        self.paint_icon(widget)

    def paint_icon(self, widget: QAbstractButton | QLabel) -> None:
        name, color, size = widget.property("themeIcon")
        if isinstance(widget, QLabel):
            widget.setPixmap(self.pixmap(name, color, size))
        else:
            # Fusion leaves hardly any room between icon and words: the icon carries its own.
            room = ICON_GAP if isinstance(widget, QPushButton) and widget.text() else 0
            icon = QIcon(_widened(self.pixmap(name, color, size), room))
            icon.addPixmap(_widened(self.pixmap(name, "muted", size), room), QIcon.Mode.Disabled)
            widget.setIcon(icon)
            widget.setIconSize(QSize(size + room, size))

    def _on_system_scheme_changed(self) -> None:
        if self._mode == "system":
            self._apply()

    def _apply(self) -> None:
        self.tokens = load_tokens(self._resolved())
        self._pixmaps.clear()
        self._write_sheet_images()
        QDir.setSearchPaths("theme", [self._images.path()])  # the program's own: whoever styles it says where
        self._app.setPalette(build_palette(self.tokens))
        self._app.setStyleSheet(build_sheet(self.tokens))
        self.changed.emit()

    def _resolved(self) -> str:
        if self._mode != "system":
            return self._mode
        return "dark" if QGuiApplication.styleHints().colorScheme() == Qt.ColorScheme.Dark else "light"

    def _write_sheet_images(self) -> None:
        folder = Path(self._images.path()) / self.tokens["name"]  # one per theme: Qt caches images by name
        folder.mkdir(exist_ok=True)
        for name, token in _SHEET_IMAGES.items():
            (folder / f"{name}.svg").write_text(_recoloured(name, self.tokens[token]), encoding="utf-8")
        (folder / "check-text.svg").write_text(_recoloured("check", self.tokens["text"]), encoding="utf-8")


class _IconFollower(QObject):
    """Child of a widget that redraws its icon when the theme changes; it, and the connection, die with the widget."""

    def __init__(self, widget: QAbstractButton | QLabel, theme: Theme) -> None:
        super().__init__(widget)
        self._theme = theme

    def apply(self) -> None:
        widget = self.parent()
        if isinstance(widget, QAbstractButton | QLabel):
            self._theme.paint_icon(widget)


def load_tokens(name: str) -> dict[str, str]:
    """The colours of a theme by token name, ``#rrggbb``."""
    tokens: dict[str, str] = json.loads(resource_text(f"themes/{name}.json"))
    return tokens


def build_sheet(tokens: dict[str, str]) -> str:
    """The style sheet with every token filled. Raises KeyError for a token the theme lacks."""
    return Template(resource_text("themes/console.qss")).substitute(tokens)


def build_palette(tokens: dict[str, str]) -> QPalette:
    """The palette beside the sheet: menus, tables and placeholder texts take their colours from it."""
    palette = QPalette()
    role = QPalette.ColorRole
    for color_role, token in (
        (role.Window, "bg"),
        (role.WindowText, "text"),
        (role.Base, "field"),
        (role.AlternateBase, "chip"),
        (role.Text, "text"),
        (role.PlaceholderText, "muted"),
        (role.Button, "card"),
        (role.ButtonText, "text"),
        (role.BrightText, "error"),
        (role.ToolTipBase, "tooltip"),
        (role.ToolTipText, "on_tooltip"),
        (role.Highlight, "primary"),
        (role.HighlightedText, "on_primary"),
        (role.Link, "primary_text"),
        (role.LinkVisited, "primary_text"),
        (role.Mid, "border"),
        (role.Dark, "border_strong"),
        (role.Light, "card"),
        (role.Midlight, "border"),
        (role.Shadow, "shadow"),
        (role.Accent, "primary"),
    ):
        palette.setColor(color_role, QColor(tokens[token]))
    for disabled_role in (role.WindowText, role.Text, role.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, disabled_role, QColor(tokens["muted"]))
    return palette


def load_fonts() -> QFont:
    """Register the shipped Inter and return the base font. Call before the first widget.

    Raises RuntimeError naming the file when a font cannot be read.
    """
    for path in sorted(resource_path("fonts").glob("*.ttf")):
        if QFontDatabase.addApplicationFont(str(path)) < 0:
            raise RuntimeError(f"the font {path.name} cannot be read; install the program again")
    return base_font()


def base_font() -> QFont:
    font = QFont("Inter")
    font.setPixelSize(BASE_FONT_PX)
    font.setHintingPreference(QFont.HintingPreference.PreferNoHinting)
    return font


def tabular(font: QFont) -> QFont:
    """The font with figures of equal width, for numbers that change or stand in columns."""
    copy = QFont(font)
    copy.setFeature(QFont.Tag("tnum"), 1)
    return copy


def mono_font(px: int = 12) -> QFont:
    """The system's fixed-width font, for hex and logs."""
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPixelSize(px)
    return font


def restyle(widget: QWidget, **properties: object) -> None:
    """Set dynamic properties that the style sheet selects by, and have it look again."""
    for name, value in properties.items():
        widget.setProperty(name, value)
    style = widget.style()
    style.unpolish(widget)
    style.polish(widget)


def render_svg(text: str, size: int, ratio: float) -> QPixmap:
    """An SVG as a transparent pixmap of ``size`` logical pixels at a device pixel ratio."""
    pixmap = QPixmap(round(size * ratio), round(size * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    QSvgRenderer(QByteArray(text.encode())).render(painter)
    painter.end()
    return pixmap


def _widened(pixmap: QPixmap, room: int) -> QPixmap:
    """The pixmap with ``room`` empty pixels at its right."""
    if not room:
        return pixmap
    ratio = pixmap.devicePixelRatio()
    wide = QPixmap(pixmap.width() + round(room * ratio), pixmap.height())
    wide.setDevicePixelRatio(ratio)
    wide.fill(Qt.GlobalColor.transparent)
    painter = QPainter(wide)
    painter.drawPixmap(0, 0, pixmap)
    painter.end()
    return wide


def app_icon() -> QIcon:
    """The program's own icon in the sizes that desktops ask for."""
    icon = QIcon()
    text = resource_text("icons/app.svg")
    for size in (16, 24, 32, 48, 64, 128, 256):
        icon.addPixmap(render_svg(text, size, 1.0))
    return icon


def _recoloured(name: str, color: str) -> str:
    text = resource_text(f"icons/{name}.svg")
    return text.replace("currentColor", color).replace('stroke-width="2"', f'stroke-width="{ICON_STROKE}"')
