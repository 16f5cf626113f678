"""Menus that pyqtgraph makes for every plot, switched off or not, and that belong to nobody."""

from __future__ import annotations

from typing import Any

from PySide6.QtWidgets import QWidget


def end_menus_with(plot: Any, owner: QWidget) -> None:
    """Give the menus of a ``PlotItem`` to the widget that shows it, so that they end with it.

    Without an owner seven windows that are never shown stay behind each plot, for as long as the program runs.
    """
    plot.ctrlMenu.setParent(owner, plot.ctrlMenu.windowFlags())
