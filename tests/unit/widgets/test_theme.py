"""Colours, icons, fonts and the style sheet."""

from __future__ import annotations

import re
import sys

import pytest
from PySide6.QtCore import QFile, Qt, QTime
from PySide6.QtGui import QColor, QFont, QFontMetrics, QImage, QPainter, QRawFont
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QDateEdit,
    QLabel,
    QLineEdit,
    QPushButton,
    QSpinBox,
    QTimeEdit,
    QWidget,
)
from pytestqt.qtbot import QtBot

from resources import resource_path, resource_text
from widgets.primitives import calm_wheel
from widgets.theme import Theme, ThemeMode, app_icon, build_sheet, load_tokens, tabular

THEMES = ("light", "dark", "contrast")
SURFACES = ("bg", "side", "card", "field", "hover", "selected")
WORDS = ("text", "muted", "ok_text", "warn_text", "error_text", "info_text", "primary_text", "neutral_text")
PAINTED_OR_INHERITED = {
    *((words, surface) for words in WORDS for surface in SURFACES),  # labels, and the texts that delegates paint
    *((f"{level}_text", f"{level}_soft") for level in ("ok", "warn", "error", "info", "neutral")),  # pills, banners
    *(("on_primary", fill) for fill in ("primary_hover", "primary_down")),
    ("on_error", "error_hover"),
    ("text", "chip"),
    ("muted", "chip"),  # segments that are not chosen
    ("text", "segment"),
    ("text", "primary_soft"),
    ("on_demo", "demo"),
}


def luminance(color: str) -> float:
    """Relative luminance of WCAG 2.1."""

    def linear(part: float) -> float:
        return part / 12.92 if part <= 0.03928 else float(((part + 0.055) / 1.055) ** 2.4)

    shade = QColor(color)
    return 0.2126 * linear(shade.redF()) + 0.7152 * linear(shade.greenF()) + 0.0722 * linear(shade.blueF())


def contrast(first: str, second: str) -> float:
    light, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("name", THEMES)
def test_every_theme_has_the_same_tokens_and_fills_the_whole_sheet(name: str) -> None:
    tokens = load_tokens(name)
    assert tokens.keys() == load_tokens("light").keys()
    sheet = build_sheet(tokens)
    assert "$" not in sheet.split("*/", 1)[1]
    colors = {key: value for key, value in tokens.items() if key not in {"name", "scheme"}}
    assert all(re.fullmatch(r"#[0-9a-f]{6}", value) for value in colors.values())


def pairs_of_the_sheet() -> set[tuple[str, str]]:
    """Text and background of every rule of the style sheet that sets both."""
    rules = re.findall(r"([^{}]+)\{([^{}]*)\}", resource_text("themes/console.qss"))
    found = set()
    for selector, body in rules:
        words = re.search(r"(?<![-\w])color: \$(\w+)", body)
        surface = re.search(r"background: \$(\w+)", body)
        if words and surface and ":disabled" not in selector:
            found.add((words[1], surface[1]))
    return found


@pytest.mark.parametrize("name", THEMES)
def test_text_can_be_read_on_its_surface(name: str) -> None:
    """WCAG 2.1, 1.4.3: 4.5 to 1 (AA); 7 to 1 (AAA) where somebody asked for high contrast."""
    tokens, from_sheet = load_tokens(name), pairs_of_the_sheet()
    assert {("on_primary", "primary"), ("chip_text", "chip"), ("on_error", "error")} <= from_sheet
    wanted = 7.0 if name == "contrast" else 4.5
    ratios = {pair: contrast(tokens[pair[0]], tokens[pair[1]]) for pair in from_sheet | PAINTED_OR_INHERITED}
    assert {pair: round(ratio, 2) for pair, ratio in ratios.items() if ratio < wanted} == {}


@pytest.mark.parametrize("name", THEMES)
def test_shapes_can_be_told_from_their_ground(name: str) -> None:
    """WCAG 2.1, 1.4.11: 3 to 1 for what is no text: icons in their tiles, bars, the ring around what has the focus."""
    tokens = load_tokens(name)
    pairs = {("primary", ground) for ground in ("bg", "card", "primary_soft")} | {("focus", "bg"), ("focus", "card")}
    assert {pair: ratio for pair in pairs if (ratio := contrast(tokens[pair[0]], tokens[pair[1]])) < 3} == {}


def test_icons_take_the_colour_of_their_token_and_follow_a_change_of_theme(theme: Theme, qtbot: QtBot) -> None:
    button = QPushButton("Refresh")
    qtbot.addWidget(button)
    theme.follow(button, "refresh-cw", "primary")

    def shades() -> set[str]:
        image = button.icon().pixmap(button.iconSize()).toImage()
        pixels = [image.pixelColor(x, y) for x in range(image.width()) for y in range(image.height())]
        return {color.name() for color in pixels if color.alpha() == 255}

    assert theme.tokens["primary"] in shades()
    theme.set_mode("dark")
    assert theme.tokens["primary"] == load_tokens("dark")["primary"] != load_tokens("light")["primary"]
    assert theme.tokens["primary"] in shades()


def test_a_label_that_was_deleted_does_not_hinder_a_change_of_theme(theme: Theme, qtbot: QtBot) -> None:
    label = QLabel()
    theme.follow(label, "truck")
    with qtbot.waitSignal(label.destroyed):
        label.deleteLater()
    theme.set_mode("dark")


def test_the_theme_that_styles_the_program_says_where_the_images_are(
    theme: Theme, qapp: QApplication, qtbot: QtBot
) -> None:
    other = Theme(qapp, "light")
    box = QComboBox()
    qtbot.addWidget(box)
    box.show()
    theme.set_mode("dark")
    box.grab()  # an image that is not found is a warning in the log, which fails this test
    assert QFile.exists("theme:dark/chevron-down.svg")
    other.deleteLater()


def test_an_unknown_theme_or_icon_is_refused_by_name(theme: Theme) -> None:
    mode: ThemeMode = "pink"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="pink"):
        theme.set_mode(mode)
    with pytest.raises(FileNotFoundError, match=r"icons/no-such-icon\.svg"):
        theme.pixmap("no-such-icon")


def test_system_follows_the_desktop(theme: Theme) -> None:
    hints = QApplication.styleHints()
    hints.setColorScheme(Qt.ColorScheme.Dark)
    try:
        theme.set_mode("system")
        assert theme.is_dark == (hints.colorScheme() == Qt.ColorScheme.Dark)
    finally:
        hints.unsetColorScheme()


def test_the_shipped_font_has_the_naira_sign_and_the_letters_of_nigerian_languages(theme: Theme) -> None:
    for file in resource_path("fonts").glob("*.ttf"):
        font = QRawFont(str(file), 13)
        assert [char for char in "₦ẹọṣẸỌṢɓɗƙƴƁƊƘƳńǹ−→↑↓·…–" if not font.supportsCharacter(ord(char))] == []
    assert QApplication.font().family() == "Inter"


def test_tabular_figures_have_one_width(theme: Theme) -> None:
    metrics = QFontMetrics(tabular(QFont("Inter", 12)))
    assert len({metrics.horizontalAdvance(digit * 8) for digit in "0123456789"}) == 1


def test_every_shipped_icon_renders(theme: Theme) -> None:
    for file in sorted(resource_path("icons").glob("*.svg")):
        assert any(
            theme.pixmap(file.stem, "text", 16).toImage().pixelColor(x, y).alpha() for x in range(16) for y in range(16)
        ), file.stem
    assert not app_icon().isNull()


def test_licences_of_icons_and_fonts_are_shipped() -> None:
    assert "ISC License" in resource_text("icons/LICENSE-Lucide.txt")
    assert "SIL Open Font License" in resource_text("fonts/LICENSE-Inter.txt")


def test_qt_calls_give_none_back() -> None:
    """PySide6 6.12 on Python before 3.12 loses a reference to None per call and dies after some thousands."""
    canvas = QImage(8, 8, QImage.Format.Format_ARGB32)
    painter = QPainter(canvas)
    before = sys.getrefcount(None)
    for _ in range(200):
        painter.resetTransform()
    lost = abs(sys.getrefcount(None) - before)
    painter.end()
    assert lost < 20


@pytest.mark.parametrize("name", THEMES)
def test_fields_of_every_kind_are_of_one_height_and_begin_at_one_place(name: str, theme: Theme, qtbot: QtBot) -> None:
    theme.set_mode(name)  # type: ignore[arg-type]
    line, combo, editable, number = QLineEdit("H"), QComboBox(), QComboBox(), QSpinBox()
    combo.addItem("H")
    editable.setEditable(True)
    editable.setEditText("H")
    number.setPrefix("H")
    fields = (line, combo, editable, number, QTimeEdit(QTime(22, 0)), QDateEdit())
    for field in fields:
        calm_wheel(field)
        qtbot.addWidget(field)
        field.resize(200, field.sizeHint().height())
        field.show()
        field.clearFocus()
    assert len({field.height() for field in fields}) == 1
    assert len({_first_ink(field) for field in (line, combo, editable, number)}) == 1


def _first_ink(field: QWidget) -> int:
    """The column in which a text begins, behind the border and its round corners."""
    image = field.grab().toImage()
    middle = range(field.height() // 2 - 3, field.height() // 2 + 3)
    ground = image.pixelColor(3, middle[0])
    return next(x for x in range(3, image.width()) if any(image.pixelColor(x, y) != ground for y in middle))
