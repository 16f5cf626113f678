"""How many trackers speak, and how many wait: the four numbers at the head of the page."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from PySide6.QtWidgets import QWidget

from app.fleet.freshness import Freshness, freshness
from app.fleet.listing import DeviceListing
from app.fleet.registry import KNOWN, WAITING
from resources.i18n import tr, trn
from widgets.primitives import CardGrid, StatCard
from widgets.theme import Theme


class Statistics(QWidget):
    """``by_state`` counts the rows last shown by known, waiting, blocked."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self.by_state: Counter[str] = Counter()
        self.online = StatCard(theme, tr("Online"), "radio", "ok")
        self.stale = StatCard(theme, tr("Stale"), "timer", "warn")
        self.silent = StatCard(theme, tr("Silent"), "wifi-off", "neutral")
        self.waiting = StatCard(theme, tr("Waiting"), "inbox", "info")
        grid = CardGrid(self, min_width=170, is_balanced=True)
        for card in (self.online, self.stale, self.silent, self.waiting):
            grid.addWidget(card)

    def show_counts(self, rows: Iterable[DeviceListing], now_ms: int) -> None:
        """Online, stale and silent among the known trackers, by the age of what they said."""
        self.by_state = Counter()
        words: Counter[Freshness] = Counter()
        for row in rows:
            self.by_state[row.state] += 1
            if row.state == KNOWN:
                words[freshness(row.last_seen_ms, now_ms)] += 1
        known, waiting, never = self.by_state[KNOWN], self.by_state[WAITING], words[Freshness.NEVER]
        of_all = trn("of {count} known tracker", "of {count} known trackers", known)
        self.online.set_value(f"{words[Freshness.ONLINE]:,}", of_all)
        self.stale.set_value(f"{words[Freshness.STALE]:,}", tr("nothing for 10 min to 1 h"))
        never_text = trn("and {count} never heard", "and {count} never heard", never)
        self.silent.set_value(f"{words[Freshness.SILENT]:,}", never_text if never else tr("nothing for 1 h or longer"))
        self.waiting.set_value(f"{waiting:,}", tr("to adopt or to block") if waiting else tr("nobody waits"))
