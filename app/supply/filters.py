"""What a list of supply records may be narrowed to, and the words for how much of an item there is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum


class StockClass(StrEnum):
    """How long the stock of an item lasts, by the classes of public supply reports."""

    STOCKED_OUT = "stocked_out"
    UNDER = "under"
    ADEQUATE = "adequate"
    OVER = "over"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Levels:
    """Months of stock between which an item is adequately stocked. Two and four are common for bimonthly programmes."""

    least_months: float = 2.0
    most_months: float = 4.0


class Expiry(StrEnum):
    EXPIRED = "expired"
    SOON = "soon"
    LATER = "later"
    NONE = "none"
    """The peer told no day."""


@dataclass(frozen=True, slots=True)
class Horizon:
    """The day it is, and how many days ahead count as soon. A batch is good until the end of its day of expiry."""

    today: date
    days: int = 90

    @property
    def first_good(self) -> str:
        return self.today.isoformat()

    @property
    def last_soon(self) -> str:
        return (self.today + timedelta(days=self.days)).isoformat()

    def of(self, expires_on: str | None) -> Expiry:
        if expires_on is None:
            return Expiry.NONE
        if expires_on < self.first_good:
            return Expiry.EXPIRED
        return Expiry.SOON if expires_on <= self.last_soon else Expiry.LATER


@dataclass(frozen=True, slots=True)
class Place:
    """A facility or a program as its peer knows it."""

    integration_id: str
    peer_id: str


@dataclass(frozen=True, slots=True)
class SupplyFilter:
    """Every part that is set must hold; a list leaves alone what it has no column for.

    ``expiry`` is ``expired``, ``soon`` or "" (whatever). ``is_waiting``: only papers on which changes of ours wait.
    ``includes_gone``: also what peers have no more, and what integrations told that were removed.
    ``since_ms`` and ``until_ms`` (exclusive) are about when a paper was made. ``partner_places`` are what other systems
    call the chosen facility, ``partner_items`` ids of items that the words find by the names of their partners: the
    identity map fills both (:func:`app.identity.partners.widened`).
    """

    words: tuple[str, ...] = ()
    integration_id: str | None = None
    facility: Place | None = None
    program: Place | None = None
    stage: str = ""
    stock_class: StockClass | None = None
    expiry: str = ""
    is_waiting: bool = False
    since_ms: int | None = None
    until_ms: int | None = None
    includes_gone: bool = False
    partner_places: tuple[Place, ...] = ()
    partner_items: tuple[str, ...] = ()

    @property
    def places(self) -> tuple[Place, ...]:
        """The chosen facility as each of the joined systems knows it."""
        return () if self.facility is None else (self.facility, *self.partner_places)

    @property
    def is_everything(self) -> bool:
        return self == SupplyFilter()


def stock_class(units: float | None, months: float | None, levels: Levels) -> StockClass:
    """The class of an item with so many usable units for so many months.

    Nothing in stock is stocked out whatever is consumed; what lasts how long is unknown without a consumption.
    """
    if units is None:
        return StockClass.UNKNOWN
    if units <= 0:
        return StockClass.STOCKED_OUT
    if months is None:
        return StockClass.UNKNOWN
    if months < levels.least_months:
        return StockClass.UNDER
    return StockClass.ADEQUATE if months <= levels.most_months else StockClass.OVER
