"""The small parts every page is made of. Texts given to them are plain text; icons are Lucide names."""

from __future__ import annotations

from widgets.primitives.cards import (
    Banner,
    Card,
    EmptyState,
    IconTile,
    StatCard,
    exact_height,
    line,
    paragraph,
    set_paragraph,
    text_label,
)
from widgets.primitives.controls import (
    IconButton,
    SearchField,
    SegmentedTabs,
    calm_wheel,
    destructive_button,
    labelled,
    link_button,
    offer,
    outline_button,
    primary_button,
)
from widgets.primitives.layouts import CardGrid, FlowLayout, centre_labels, clear_layout
from widgets.primitives.status import Badge, StatusDot, StatusPill, paint_pill, paint_shape
from widgets.primitives.toasts import ToastStrip

__all__ = [
    "Badge",
    "Banner",
    "Card",
    "CardGrid",
    "EmptyState",
    "FlowLayout",
    "IconButton",
    "IconTile",
    "SearchField",
    "SegmentedTabs",
    "StatCard",
    "StatusDot",
    "StatusPill",
    "ToastStrip",
    "calm_wheel",
    "centre_labels",
    "clear_layout",
    "destructive_button",
    "exact_height",
    "labelled",
    "line",
    "link_button",
    "offer",
    "outline_button",
    "paint_pill",
    "paint_shape",
    "paragraph",
    "primary_button",
    "set_paragraph",
    "text_label",
]
