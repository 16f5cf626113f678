"""The world behind the simulated server: places, catalogue, stock and papers, as dictionaries in the shape it sends.

Shapes follow the published schemas of the services (reference data 15.6, requisition 8.6, stock management 5.4,
fulfillment 9.4). Times are milliseconds since 1970 UTC of the server's clock; quantities are dispensing units.
What may be done with papers is in :mod:`simulator_requisitions` and :mod:`simulator_goods`.
"""

from __future__ import annotations

import random
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

from adapters.openlmis import simulator_data as data

Json = dict[str, Any]
SPACE = uuid.UUID("6f2b6c0a-7f0e-4a53-9a44-6f70656e6c6d")
DAY_MS = 86_400_000


class RefusedError(Exception):
    """An answer other than success, in the services' form: a key for programs and a sentence for people."""

    def __init__(self, status: int, key: str, message: str, *, field: str = "", headers: Json | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.key = key
        self.field = field
        self.headers = headers

    @property
    def body(self) -> Json:
        said = {"messageKey": self.key, "message": str(self)}
        return {self.field: said} if self.field else said


def moment(at_ms: int) -> str:
    """A time as the services write it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).date().isoformat()


class World:
    """Everything that is stored. ``facilities`` and ``items`` limit the data set for small tests."""

    def __init__(self, *, start_ms: int, seed: int = 1, facilities: int = 40, items: int | None = None) -> None:
        self.now_ms = start_ms
        self.seed = seed
        self.rng = random.Random(seed)
        self.numbers = 0
        self.catalogue_changes = 0
        self.zones: dict[str, Json] = {}
        self.facilities: dict[str, Json] = {}
        self.programs: dict[str, Json] = {}
        self.rules: dict[str, data.ProgramFacts] = {}
        self.periods: dict[str, Json] = {}
        self.orderables: dict[str, list[Json]] = {}
        self.lots: dict[str, Json] = {}
        self.lots_of: dict[str, list[Json]] = {}
        self.cards: dict[tuple[str, str], dict[tuple[str, str | None], Json]] = {}
        self.requisitions: dict[str, Json] = {}
        self.versions: dict[str, int] = {}
        """What stands in the ETag of a requisition."""
        self.orders: dict[str, Json] = {}
        self.shipments: dict[str, Json] = {}
        self.drafts: dict[str, Json] = {}
        self.proofs: dict[str, Json] = {}
        self.stock_events: list[Json] = []
        self.rejection_reasons: list[Json] = []
        self.keys_used: dict[str, int] = {}
        """Idempotency keys and when each was first seen."""
        self.approving: set[str] = set()
        """Requisitions that another approval is busy with."""
        self.refuses: set[str] = set()
        """Ids of papers whose changes are refused for ever."""
        self.users = {name: self.new_id("user") for name in ("clerk", "officer", "storeman", "console")}
        self._places(facilities)
        self._programs()
        self._periods()
        self._catalogue(items)
        self._stock()

    # -- names and times

    def new_id(self, kind: str) -> str:
        """An id that is the same in every world of the same seed and history."""
        self.numbers += 1
        return str(uuid.uuid5(SPACE, f"{self.seed}/{kind}/{self.numbers}"))

    def tick(self) -> int:
        """The time of one change; two changes never share one, so that “changed since” is sharp."""
        self.now_ms += 1
        return self.now_ms

    @property
    def store(self) -> Json:
        return next(iter(self.facilities.values()))

    @property
    def clinics(self) -> list[Json]:
        return list(self.facilities.values())[1:]

    # -- the first day

    def _places(self, count: int) -> None:
        code, name, zone, lat, lon = data.STORE
        self._facility(code, name, zone, "warehouse", lat, lon)
        made = 0
        for kind_at, (kind, type_code) in enumerate(reversed(data.FACILITY_KINDS)):
            for number, (town, zone_name, lat, lon) in enumerate(data.TOWNS, 1):
                if made >= count or (kind_at and number > 10):
                    return
                made += 1
                code = f"{zone_name[:2].upper()}{type_code[0].upper()}{number:03d}"
                self._facility(code, f"{town} {kind}", zone_name, type_code, lat, lon)

    def _facility(self, code: str, name: str, zone: str, type_code: str, lat: float, lon: float) -> None:
        if zone not in self.zones:
            level = {"id": self.new_id("level"), "code": "State", "levelNumber": 2}
            self.zones[zone] = {"id": self.new_id("zone"), "code": zone[:3].upper(), "name": zone, "level": level}
        key = self.new_id("facility")
        self.facilities[key] = {
            "id": key,
            "code": code,
            "name": name,
            "active": True,
            "enabled": True,
            "type": {"id": str(uuid.uuid5(SPACE, type_code)), "code": type_code, "name": type_code, "active": True},
            "geographicZone": self.zones[zone],
            "location": {"type": "Point", "coordinates": [lon, lat]},
        }

    def _programs(self) -> None:
        for facts in data.PROGRAMS:
            key = self.new_id("program")
            self.rules[key] = facts
            self.programs[key] = {
                "id": key,
                "code": facts.code,
                "name": facts.name,
                "description": None,
                "active": True,
                "periodsSkippable": facts.periods_skippable,
                "skipAuthorization": facts.skips_authorization,
                "showNonFullSupplyTab": False,
                "enableDatePhysicalStockCountCompleted": False,
            }
        names = data.REJECTION_REASONS
        self.rejection_reasons = [
            {
                "id": self.new_id("reason"),
                "name": name,
                "reasonType": "DEBIT",
                "reasonCategory": "ADJUSTMENT",
                "isFreeTextAllowed": False,
                "tags": ["rejected"],
            }
            for name in names
        ]

    def _periods(self) -> None:
        """Bimonthly, from a year back to the one that runs now."""
        schedule = {"id": self.new_id("schedule"), "code": "BIM", "name": "Bimonthly", "description": ""}
        today = datetime.fromtimestamp(self.now_ms / 1000, UTC).date()
        first = today.year * 12 + (today.month - 1) // 2 * 2
        for at in range(first - 12, first + 1, 2):
            begins = date(at // 12, at % 12 + 1, 1)
            ends = date((at + 2) // 12, (at + 2) % 12 + 1, 1) - timedelta(days=1)
            key = self.new_id("period")
            self.periods[key] = {
                "id": key,
                "name": f"{begins:%b} to {ends:%b %Y}",
                "description": "",
                "startDate": begins.isoformat(),
                "endDate": ends.isoformat(),
                "durationInMonths": 2,
                "processingSchedule": schedule,
                "extraData": {"reportOnly": "false"},
            }

    def _catalogue(self, items: int | None) -> None:
        """Every product with its presentations; each fifth has an older version."""
        codes = {facts.code: key for key, facts in self.rules.items()}
        wanted = [
            (codes[code], name, unit, pack, number)
            for code, products in data.PRODUCTS.items()
            for number, (name, unit, packs) in enumerate(products, 1)
            for pack in packs
        ]
        if items is not None:  # an equal share of every programme
            wanted = sorted(wanted, key=lambda row: (row[4], row[3]))[:items]
        for at, (program, name, unit, pack, number) in enumerate(wanted):
            code = f"{self.rules[program].code}{number:03d}-{pack}"
            full = name if pack == 1 else f"{name}, pack of {pack}"
            key = self.add_orderable(code, full, unit, pack, [program])
            if at % 5 == 0:
                self.change_orderable(key, description=f"{full} (artwork 2026)")

    def add_orderable(self, code: str, name: str, unit: str, pack: int, programs: list[str]) -> str:
        """A new product with one version and two lots; returns its id."""
        key = self.new_id("orderable")
        self.catalogue_changes += 1
        trade_item = str(uuid.uuid5(SPACE, f"trade item {key}"))
        self.orderables[key] = [
            {
                "id": key,
                "productCode": code,
                "fullProductName": name,
                "description": name,
                "dispensable": {"dispensingUnit": unit, "displayUnit": unit},
                "netContent": pack,
                "packRoundingThreshold": max(pack // 2, 0),
                "roundToZero": False,
                "quarantined": False,
                "programs": [self._program_entry(program) for program in programs],
                "children": [],
                "identifiers": {"tradeItem": trade_item},
                "extraData": {},
                "meta": {"versionNumber": 1, "lastUpdated": moment(self.tick())},
            }
        ]
        for number in (1, 2):
            months = 2 + (self.numbers * 7 + number * 9) % 30
            lot = self.add_lot(trade_item, f"{code.partition('-')[0]}{number}{self.numbers % 1000:03d}", months)
            self.lots_of.setdefault(key, []).append(lot)
        return key

    def _program_entry(self, program: str) -> Json:
        return {
            "programId": program,
            "orderableDisplayCategoryId": str(uuid.uuid5(SPACE, f"category {program}")),
            "orderableCategoryDisplayName": self.rules[program].name,
            "orderableCategoryDisplayOrder": 1,
            "dosesPerPatient": 1,
            "active": True,
            "fullSupply": True,
            "displayOrder": 1,
            "pricePerPack": 0.0,
        }

    def add_lot(self, trade_item: str, code: str, months: int) -> Json:
        key = self.new_id("lot")
        self.lots[key] = {
            "id": key,
            "lotCode": code[:20],
            "expirationDate": day(self.now_ms + months * 30 * DAY_MS),
            "manufactureDate": day(self.now_ms - 200 * DAY_MS),
            "tradeItemId": trade_item,
            "active": True,
        }
        return self.lots[key]

    def change_orderable(self, key: str, **changes: Any) -> None:
        """A newer version; the older ones stay."""
        newest = self.orderables[key][-1]
        self.catalogue_changes += 1
        meta = {"versionNumber": newest["meta"]["versionNumber"] + 1, "lastUpdated": moment(self.tick())}
        self.orderables[key].append({**newest, **changes, "meta": meta})

    def newest(self) -> list[Json]:
        return [versions[-1] for versions in self.orderables.values()]

    def reference(self, key: str) -> Json:
        """How papers point at a product: a certain version of it."""
        version = self.orderables[key][-1]["meta"]["versionNumber"]
        return {"id": key, "versionNumber": version, "href": f"/api/orderables/{key}?versionNumber={version}"}

    def items_of(self, program: str) -> list[str]:
        return [
            key
            for key, versions in self.orderables.items()
            if any(entry["programId"] == program for entry in versions[-1]["programs"])
        ]

    # -- stock

    def _stock(self) -> None:
        for facility in self.facilities:
            is_store = facility == self.store["id"]
            for program in self.programs:
                for at, item in enumerate(self.items_of(program)):
                    if not is_store and at % 3:
                        continue  # a clinic holds a third of the catalogue
                    lots = self.lots_of[item] if is_store else self.lots_of[item][:1]
                    for lot in lots:
                        pack = self.orderables[item][-1]["netContent"]
                        amount = self.rng.randint(400, 4000) if is_store else self.rng.randint(0, 60)
                        self.move(facility, program, item, lot["id"], amount * pack, self.now_ms)

    def move(self, facility: str, program: str, item: str, lot: str | None, units: int, at_ms: int) -> None:
        """Add to a stock card, or with negative ``units`` take from it. Refuses to take more than there is."""
        cards = self.cards.setdefault((facility, program), {})
        card = cards.get((item, lot))
        if card is None:
            card = cards[item, lot] = {"id": self.new_id("card"), "units": 0, "occurred": day(at_ms)}
        if card["units"] + units < 0:
            name = self.orderables[item][-1]["productCode"]
            raise RefusedError(
                400,
                "stockmanagement.error.event.stockOnHand.insufficient",
                f"The quantity of {name} is greater than the stock on hand ({card['units']}).",
            )
        card["units"] += units
        card["occurred"], card["processed"] = day(at_ms), moment(at_ms)

    def on_hand(self, facility: str, program: str, item: str) -> int:
        cards = self.cards.get((facility, program), {})
        return sum(int(card["units"]) for (held, _), card in cards.items() if held == item)
