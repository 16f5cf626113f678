"""What a simulated NHLMIS holds: stores, items, customers and orders of Nigeria's programmes, and what came to it."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

DAY_MS = 86_400_000
HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class Product:
    code: str
    name: str
    unit: str
    pack_size: int
    program: str
    funder: str


PRODUCTS = (
    Product("AL-20-120-24", "Artemether/Lumefantrine 20/120 mg, blister of 24", "tablet", 24, "Malaria", "Global Fund"),
    Product(
        "AL-20-120-06", "Artemether/Lumefantrine 20/120 mg dispersible, blister of 6", "tablet", 6, "Malaria", "PMI"
    ),
    Product("MRDT-25", "Malaria rapid diagnostic test, kit of 25", "test", 25, "Malaria", "Global Fund"),
    Product("SP-525", "Sulfadoxine/Pyrimethamine 525 mg", "tablet", 150, "Malaria", "State Government"),
    Product("TLD-30", "Tenofovir/Lamivudine/Dolutegravir 300/300/50 mg", "tablet", 30, "HIV", "PEPFAR"),
    Product("HIV-DET-100", "HIV 1/2 rapid test, kit of 100", "test", 100, "HIV", "Global Fund"),
    Product("RHZE-672", "Rifampicin/Isoniazid/Pyrazinamide/Ethambutol", "tablet", 672, "Tuberculosis", "Global Fund"),
    Product("DMPA-SC-200", "Medroxyprogesterone subcutaneous 104 mg", "injection", 200, "Family Planning", "UNFPA"),
    Product("IMPL-ETO-1", "Etonogestrel implant 68 mg", "implant", 1, "Family Planning", "UNFPA"),
    Product("OXY-10-10", "Oxytocin injection 10 IU", "ampoule", 10, "Maternal and Child Health", "State Government"),
    Product("ORS-ZN-1", "ORS and zinc co-pack", "co-pack", 1, "Maternal and Child Health", "UNICEF"),
    Product("RUTF-150", "Ready-to-use therapeutic food, 92 g", "sachet", 150, "Nutrition", "UNICEF"),
)

STORES = (
    ("FC-CMS-01", "FCT Central Medical Store, Abuja"),
    ("KN-DMCSA-01", "Kano Drugs and Medical Consumables Store"),
    ("KD-CMS-01", "Kaduna Central Medical Store"),
)

CUSTOMERS = (
    ("FC-GWA-003", "Gwagwalada Township Clinic", "FCT"),
    ("FC-KUJ-001", "Kuje General Hospital", "FCT"),
    ("FC-BWA-002", "Bwari Primary Health Centre", "FCT"),
    ("KN-DTF-001", "Dawakin Tofa General Hospital", "Kano"),
    ("KN-GWZ-004", "Gwarzo Primary Health Centre", "Kano"),
    ("KN-WUD-001", "Wudil General Hospital", "Kano"),
    ("KD-ZAR-007", "Sabon Gari Health Centre, Zaria", "Kaduna"),
    ("KD-KAF-001", "Kafanchan General Hospital", "Kaduna"),
)


@dataclass(slots=True)
class OrderLine:
    id: str
    product: Product
    packs: int
    comment: str = ""


@dataclass(slots=True)
class Order:
    """``shipments`` are the bodies that were sent for it, in the order in which they were applied."""

    id: str
    number: str
    customer: tuple[str, str, str]
    store: str
    program: str
    funder: str
    created_ms: int
    changed_ms: int
    lines: list[OrderLine]
    comment: str = ""
    status: str = "NEW"
    shipments: list[dict[str, object]] = field(default_factory=list)


class World:
    """One national system, moved on by :meth:`advance`; the same seed gives the same world."""

    def __init__(self, *, orders: int = 12, start_ms: int, seed: int = 1) -> None:
        self._random = random.Random(seed)
        self.now_ms = start_ms
        self.orders: dict[str, Order] = {}
        self.batches: list[dict[str, object]] = []
        """Every batch record that was taken, in order."""
        self.counts: list[dict[str, object]] = []
        self._number = 0
        for at in range(orders):
            self.add_order(created_ms=start_ms - (orders - at) * HOUR_MS)

    def add_order(self, *, created_ms: int | None = None) -> Order:
        """A facility asks its store for the products of one programme."""
        self._number += 1
        created = self.now_ms if created_ms is None else created_ms
        program = self._random.choice(sorted({product.program for product in PRODUCTS}))
        products = [product for product in PRODUCTS if product.program == program]
        customer = self._random.choice(CUSTOMERS)
        store = next(code for code, _ in STORES if code.startswith(customer[0][:2]))
        funder = products[0].funder
        order_id = f"{self._random.getrandbits(64):016x}"
        order = Order(
            id=order_id,
            number=f"NH-2026-{self._number:05d}",
            customer=customer,
            store=store,
            program=program,
            funder=funder,
            created_ms=created,
            changed_ms=created,
            lines=[
                OrderLine(f"{order_id}-{number}", product, self._random.randint(1, 40))
                for number, product in enumerate(products, 1)
            ],
            comment=self._random.choice(["", "Routine bimonthly order", "Urgent: below emergency order point"]),
        )
        self.orders[order.id] = order
        return order

    def ship(self, order: Order, body: dict[str, object]) -> None:
        order.shipments.append(body)
        order.status = "SHIPPED"
        order.changed_ms = self.now_ms

    def advance(self, now_ms: int) -> None:
        self.now_ms = max(self.now_ms, now_ms)
