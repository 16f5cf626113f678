"""What the people of the simulated zone do all day: ask for stock, approve, ship and receive, a step at a time."""

from __future__ import annotations

from adapters.openlmis.simulator_goods import Goods
from adapters.openlmis.simulator_requisitions import Requisitions
from adapters.openlmis.simulator_world import Json, World, day


class Life:
    """Moves the papers of a world. ``spares`` holds ids that the others leave to us (papers a test works with)."""

    def __init__(self, world: World, requisitions: Requisitions, goods: Goods) -> None:
        self.world = world
        self.requisitions = requisitions
        self.goods = goods
        self.spares: set[str] = set()

    def history(self, steps: int) -> None:
        """A past: papers in every status."""
        for _ in range(steps):
            self.step()

    def step(self) -> str:
        """One thing happens; says what."""
        deeds = (
            self._ask,
            self._ask,
            self._work_on,
            self._work_on,
            self._work_on,
            self._release,
            self._ship,
            self._receive,
        )
        return self.world.rng.choice(deeds)()

    def _some(self, papers: dict[str, Json], *statuses: str) -> Json | None:
        found = [p for p in papers.values() if p["status"] in statuses and p["id"] not in self.spares]
        return self.world.rng.choice(found) if found else None

    def _ask(self) -> str:
        rng = self.world.rng
        facility = rng.choice(self.world.clinics)["id"]
        program = rng.choice(list(self.world.programs))
        period = rng.choice(list(self.world.periods)[:-1])
        taken = self.requisitions.search(facility=facility, program=program, period=period)
        made = self.requisitions.initiate(facility, program, period, emergency=bool(taken))
        return f"initiated {made['id']}"

    def _work_on(self) -> str:
        found = self._some(self.world.requisitions, "INITIATED", "REJECTED", "SUBMITTED", "AUTHORIZED", "IN_APPROVAL")
        if found is None:
            return self._ask()
        key, users = found["id"], self.world.users
        match found["status"]:
            case "INITIATED" | "REJECTED":
                skippable = self.world.programs[found["program"]["id"]]["periodsSkippable"]
                if skippable and self.world.rng.random() < 0.05:
                    self.requisitions.skip(key, users["clerk"])
                    return f"skipped {key}"
                self._explain(found)
                self.requisitions.submit(key, users["clerk"])
            case "SUBMITTED":
                self.requisitions.authorize(key, users["officer"])
            case _:
                if self.world.rng.random() < 0.1:
                    self.requisitions.reject(key, users["officer"])
                    return f"rejected {key}"
                self.requisitions.approve(key, users["officer"])
        return f"moved {key} on to {found['status']}"

    def _explain(self, requisition: Json) -> None:
        for line in requisition["requisitionLineItems"]:
            if (
                line["requestedQuantity"] != line["calculatedOrderQuantity"]
                and not line["requestedQuantityExplanation"]
            ):
                line["requestedQuantityExplanation"] = "More patients are expected."

    def _release(self) -> str:
        found = self._some(self.world.requisitions, "APPROVED")
        if found is None:
            return self._work_on()
        wants = any(line["approvedQuantity"] for line in found["requisitionLineItems"])
        self.requisitions.release(found["id"], self.world.users["officer"], order=wants)
        if wants:
            self.goods.order_from(found)
        return f"released {found['id']}"

    def _ship(self) -> str:
        order = self._some(self.world.orders, "ORDERED", "FULFILLING")
        if order is None or self.world.rng.random() < 0.3:
            return self._release()
        self.goods.ship({"order": {"id": order["id"]}, "lineItems": self.pick(order)}, self.world.users["storeman"])
        return f"shipped {order['id']}"

    def pick(self, order: Json) -> list[Json]:
        """Lines of a shipment for an order: what there is, what expires first before the rest."""
        facility, program = order["supplyingFacility"]["id"], order["program"]["id"]
        cards = self.world.cards.get((facility, program), {})
        lines: list[Json] = []
        for line in order["orderLineItems"]:
            item, wanted = line["orderable"]["id"], int(line["totalDispensingUnits"])
            held = [(lot, card) for (key, lot), card in cards.items() if key == item and lot and card["units"] > 0]
            for lot, card in sorted(held, key=lambda pair: str(self.world.lots[str(pair[0])]["expirationDate"])):
                units = min(int(card["units"]), wanted)
                if units <= 0:
                    break
                wanted -= units
                version = line["orderable"]["meta"]["versionNumber"]
                orderable = {"id": item, "versionNumber": version}
                lines.append({"orderable": orderable, "lot": {"id": lot}, "quantityShipped": units})
        return lines

    def _receive(self) -> str:
        order = self._some(self.world.orders, "SHIPPED")
        if order is None or self.world.rng.random() < 0.4:
            return self._work_on()
        proof = self.goods.proofs_of(order["id"], None)[0]
        self.goods.update_proof(proof["id"], self.filled(proof), self.world.users["clerk"])
        return f"received {order['id']}"

    def filled(self, proof: Json) -> Json:
        """A proof with everything accepted, ready to be confirmed."""
        shipment = self.world.shipments[proof["shipment"]["id"]]
        lines = [
            {
                **line,
                "quantityAccepted": shipped["quantityShipped"],
                "quantityRejected": 0,
                "vvmStatus": "STAGE_1" if line["useVvm"] else None,
            }
            for line, shipped in zip(proof["lineItems"], shipment["lineItems"], strict=True)
        ]
        head = {"receivedBy": "Amina Yusuf", "deliveredBy": "Driver", "receivedDate": day(self.world.now_ms)}
        return {**proof, **head, "lineItems": lines, "status": "CONFIRMED"}
