"""Requisitions of the simulated server: what may be done with one in which status (requisition service 8.6)."""

from __future__ import annotations

import copy
import uuid
from collections.abc import Iterator
from typing import Any

from adapters.openlmis.simulator_world import DAY_MS, Json, RefusedError, World, moment

WITH_ASKING_SIDE = ("INITIATED", "REJECTED")
WITH_APPROVER = ("AUTHORIZED", "IN_APPROVAL")
KEY_KEPT_MS = DAY_MS
LINE_FIGURES = (
    "beginningBalance", "totalReceivedQuantity", "totalConsumedQuantity", "totalLossesAndAdjustments", "stockOnHand",
    "totalStockoutDays", "requestedQuantity", "requestedQuantityExplanation", "remarks", "skipped",
)  # fmt: skip
NOT_NEGATIVE = ("beginningBalance", "totalReceivedQuantity", "totalConsumedQuantity", "requestedQuantity",
                "approvedQuantity", "totalStockoutDays")  # fmt: skip


class Requisitions:
    """The steps of requisitions in one world. Every method raises RefusedError as the service would."""

    def __init__(self, world: World) -> None:
        self.world = world

    def get(self, key: str) -> Json:
        found = self.world.requisitions.get(key)
        if found is None:
            raise RefusedError(404, "requisition.error.requisitionNotFound", f"Requisition not found for ID: {key}.")
        return found

    def use_key(self, text: str | None) -> None:
        """Take an idempotency key for 24 hours, whatever becomes of the request."""
        if text is None:
            return
        try:
            key = str(uuid.UUID(text))
        except ValueError:
            raise RefusedError(
                400, "requisition.error.idempotencyKey.wrongFormat", "The idempotency key must be a UUID."
            ) from None
        now_ms = self.world.now_ms
        if now_ms - self.world.keys_used.get(key, now_ms - KEY_KEPT_MS) < KEY_KEPT_MS:
            raise RefusedError(
                409,
                "requisition.error.idempotencyKey.alreadyUsed",
                f"The idempotency key {key} was used already.",
            )
        self.world.keys_used[key] = now_ms

    def initiate(self, facility: str, program: str, period: str, *, emergency: bool = False) -> Json:
        """A new form, filled with the figures of the period as far as stock cards tell them."""
        world = self.world
        key, now = world.new_id("requisition"), moment(world.tick())
        requisition: Json = {
            "id": key,
            "createdDate": now,
            "modifiedDate": now,
            "draftStatusMessage": "",
            "facility": {"id": facility, "href": f"/api/facilities/{facility}"},
            "program": {"id": program, "href": f"/api/programs/{program}"},
            "processingPeriod": {"id": period, "href": f"/api/processingPeriods/{period}"},
            "supplyingFacility": world.store["id"],
            "supervisoryNode": self._node(program, 1),
            "status": "INITIATED",
            "emergency": emergency,
            "reportOnly": False,
            "requisitionLineItems": list(self._lines(facility, program)),
            "availableProducts": [],
            "stockAdjustmentReasons": [],
            "statusHistory": [],
            "extraData": {"region": "North West"},
        }
        world.requisitions[key] = requisition
        self._note(requisition, "INITIATED", world.users["clerk"])
        return requisition

    def _lines(self, facility: str, program: str) -> Iterator[Json]:
        world = self.world
        for item in world.items_of(program)[::3][:30]:
            pack = int(world.orderables[item][-1]["netContent"])
            on_hand = world.on_hand(facility, program, item)
            used = world.rng.randint(5, 40) * pack
            received = world.rng.randint(0, 20) * pack
            wanted = max(2 * used - on_hand, 0)
            reference = world.reference(item)
            yield {
                "id": world.new_id("line"),
                "orderable": reference,
                "approvedProduct": {"id": str(uuid.uuid5(uuid.UUID(item), program)), "versionNumber": 1},
                "beginningBalance": max(on_hand + used - received, 0),
                "totalReceivedQuantity": received,
                "totalConsumedQuantity": used,
                "totalLossesAndAdjustments": 0,
                "stockOnHand": on_hand,
                "totalStockoutDays": 0 if on_hand else world.rng.randint(1, 20),
                "adjustedConsumption": used,
                "averageConsumption": used // 2,
                "maximumStockQuantity": 2 * used,
                "calculatedOrderQuantity": wanted,
                "requestedQuantity": wanted,
                "requestedQuantityExplanation": "",
                "approvedQuantity": None,
                "packsToShip": -(-wanted // pack),
                "remarks": "",
                "skipped": False,
            }

    def _node(self, program: str, level: int) -> str:
        return str(uuid.uuid5(uuid.UUID(program), f"supervisory node {level}"))

    def _level(self, requisition: Json) -> int:
        program = requisition["program"]["id"]
        return next(level for level in (1, 2, 3) if self._node(program, level) == requisition["supervisoryNode"])

    def _note(self, requisition: Json, status: str, author: str) -> None:
        now = moment(self.world.tick())
        requisition["status"], requisition["modifiedDate"] = status, now
        requisition["statusHistory"].append(
            {"id": self.world.new_id("change"), "status": status, "authorId": author, "createdDate": now}
        )
        self.world.versions[requisition["id"]] = self.world.versions.get(requisition["id"], 0) + 1

    # -- changes of the form

    def update(self, key: str, body: Json, if_match: str | None) -> Json:
        """``PUT /v2/requisitions/{id}``: lines by id; what is not sent stays."""
        requisition = self.get(key)
        self._not_for_ever(key)
        if body.get("id") not in (None, key):
            raise RefusedError(400, "requisition.error.idMismatch", "Requisition ID mismatch.")
        stale = if_match is not None and if_match != self.etag(key)
        if stale or body.get("modifiedDate") not in (None, requisition["modifiedDate"]):
            raise RefusedError(
                409,
                "requisition.error.validation.dateModifiedMismatch",
                f"The requisition with ID {key} has a newer version on the server.",
            )
        status = requisition["status"]
        if status not in (*WITH_ASKING_SIDE, "SUBMITTED", *WITH_APPROVER):
            raise RefusedError(
                400,
                "requisition.error.update.canNotUpdateWithStatus",
                f"Cannot update a requisition with status: {status}.",
            )
        lines = copy.deepcopy(requisition["requisitionLineItems"])
        by_id = {line["id"]: line for line in lines}
        for sent in body.get("requisitionLineItems") or ():
            line = by_id.get(sent.get("id"))
            if line is not None:
                self._update_line(line, sent, status)
        requisition["requisitionLineItems"] = lines
        requisition["draftStatusMessage"] = str(body.get("draftStatusMessage") or "")
        requisition["extraData"] = body.get("extraData") or {}
        requisition["modifiedDate"] = moment(self.world.tick())
        self.world.versions[key] += 1
        return requisition

    def _update_line(self, line: Json, sent: Json, status: str) -> None:
        for name in NOT_NEGATIVE:
            value = sent.get(name)
            if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 0):
                raise RefusedError(
                    400,
                    "requisition.error.validation.mustBeNonNegative",
                    f"{name} must be a non-negative value.",
                    field="requisitionLineItems",
                )
        if status in WITH_APPROVER:
            line |= {name: sent.get(name) for name in ("approvedQuantity", "remarks")}
            return
        if sent.get("approvedQuantity") is not None:
            raise RefusedError(
                400,
                "requisition.error.validation.onlyAvailableForApproval",
                "approvedQuantity is only available during the approval step of the requisition process.",
                field="requisitionLineItems",
            )
        line |= {name: sent.get(name) for name in LINE_FIGURES}

    # -- steps

    def submit(self, key: str, author: str) -> Json:
        requisition = self._in(key, WITH_ASKING_SIDE, "submit.mustBeInitiatedToBeSubmitted", "submit")
        for line in requisition["requisitionLineItems"]:
            asked, advised = line["requestedQuantity"], line["calculatedOrderQuantity"]
            if not line["skipped"] and asked != advised and not line["requestedQuantityExplanation"]:
                raise RefusedError(
                    400,
                    "requisition.error.validation.requestedQuantityExplanationRequired",
                    "Missing value in requested quantity explanation column",
                    field="requisitionLineItems",
                )
        self._note(requisition, "SUBMITTED", author)
        if self.world.rules[requisition["program"]["id"]].skips_authorization:
            self._authorized(requisition, author)
        return requisition

    def authorize(self, key: str, author: str) -> Json:
        requisition = self._in(key, ("SUBMITTED",), "authorize.mustBeSubmittedToBeAuthorize", "authorize")
        self._authorized(requisition, author)
        return requisition

    def _authorized(self, requisition: Json, author: str) -> None:
        for line in requisition["requisitionLineItems"]:
            line["approvedQuantity"] = line["requestedQuantity"]
        requisition["supervisoryNode"] = self._node(requisition["program"]["id"], 1)
        self._note(requisition, "AUTHORIZED", author)

    def approve(self, key: str, author: str) -> Json:
        if key in self.world.approving:
            raise RefusedError(
                409, "requisition.error.approve.inProgress", "Another approval of this requisition is running."
            )
        requisition = self._in(key, WITH_APPROVER, "approve.requisitionMustBeAuthorized", "approve")
        program = requisition["program"]["id"]
        level = self._level(requisition)
        if level < self.world.rules[program].approvals:
            requisition["supervisoryNode"] = self._node(program, level + 1)
            self._note(requisition, "IN_APPROVAL", author)
        else:
            self._note(requisition, "APPROVED", author)
        return requisition

    def reject(self, key: str, author: str) -> Json:
        requisition = self._in(key, WITH_APPROVER, "reject.requisitionMustBeWaitingForApproval", "reject")
        for line in requisition["requisitionLineItems"]:
            line["approvedQuantity"] = None
        self._note(requisition, "REJECTED", author)
        return requisition

    def skip(self, key: str, author: str) -> Json:
        requisition = self._in(key, WITH_ASKING_SIDE, "badStatus.skip", "skip")
        if not self.world.programs[requisition["program"]["id"]]["periodsSkippable"]:
            raise RefusedError(
                400,
                "requisition.error.programDoesNotAllowSkip",
                "Skip failed. Requisition program does not allow skipping.",
            )
        self._note(requisition, "SKIPPED", author)
        return requisition

    def release(self, key: str, author: str, *, order: bool) -> Json:
        """An approved requisition becomes an order (made by the caller), or is closed without one."""
        requisition = self._in(key, ("APPROVED",), "release.requisitionMustBeApproved", "release")
        self._note(requisition, "RELEASED" if order else "RELEASED_WITHOUT_ORDER", author)
        return requisition

    def delete(self, key: str) -> None:
        self._in(key, (*WITH_ASKING_SIDE, "SUBMITTED", "SKIPPED"), "badStatus.delete", "delete")
        del self.world.requisitions[key]

    def etag(self, key: str) -> str:
        return f'W/"{self.world.versions[key]}"'

    def _in(self, key: str, statuses: tuple[str, ...], message_key: str, verb: str) -> Json:
        requisition = self.get(key)
        self._not_for_ever(key)
        if requisition["status"] not in statuses:
            raise RefusedError(
                400,
                f"requisition.error.{message_key}",
                f"Cannot {verb} requisition: {key}, requisition must have status {' or '.join(statuses)}.",
            )
        return requisition

    def _not_for_ever(self, key: str) -> None:
        if key in self.world.refuses:
            raise RefusedError(
                400,
                "requisition.error.validation.referencedObjectDoesNotExist",
                "The program product of this requisition does not exist.",
            )

    def search(self, **asked: Any) -> list[Json]:
        """The basic form of those that match; ``None`` and empty lists match all."""
        found = []
        for one in self.world.requisitions.values():
            fits = (
                asked.get("facility") in (None, one["facility"]["id"])
                and asked.get("program") in (None, one["program"]["id"])
                and asked.get("period") in (None, one["processingPeriod"]["id"])
                and asked.get("supplier") in (None, one["supplyingFacility"])
                and (not asked.get("statuses") or one["status"] in asked["statuses"])
                and (asked.get("changed_from") or "") <= one["modifiedDate"]
                and one["modifiedDate"] <= (asked.get("changed_to") or "9999")
            )
            if fits:
                found.append(self._basic(one))
        return found

    def _basic(self, one: Json) -> Json:
        world = self.world
        names = ("id", "emergency", "reportOnly", "createdDate", "modifiedDate", "status", "extraData")
        facility, program = world.facilities[one["facility"]["id"]], world.programs[one["program"]["id"]]
        period = world.periods[one["processingPeriod"]["id"]]
        return {
            **{name: one[name] for name in names},
            "facility": {name: facility[name] for name in ("id", "code", "name", "active")},
            "program": {name: program[name] for name in ("id", "code", "name")},
            "processingPeriod": {name: period[name] for name in ("id", "name", "startDate", "endDate")},
        }
