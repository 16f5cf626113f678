"""Changes of requisitions: quantities with ETags, steps with idempotency keys, refusals in the operator's words."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from adapters.errors import Conflict, NotReady, RecordRejected
from adapters.openlmis.simulator import OpenLmisServer, running
from adapters.openlmis.simulator_world import Json
from adapters.supply import Requisition
from tests.adapters.openlmis.schemas import faults
from tests.adapters.openlmis.support import a_requisition, adapter_for, outgoing, small_world

STEPS = {
    "submit": ("INITIATED", "draft", "submitted", "SUBMITTED"),
    "authorize": ("SUBMITTED", "submitted", "in_approval", "AUTHORIZED"),
    "approve": ("AUTHORIZED", "in_approval", "approved", "APPROVED"),
    "reject": ("AUTHORIZED", "in_approval", "rejected", "REJECTED"),
    "skip": ("INITIATED", "draft", "skipped", "SKIPPED"),
}


def line_of(server: OpenLmisServer, requisition: Json, at: int = 0) -> Json:
    found: Json = server.requisitions.get(requisition["id"])["requisitionLineItems"][at]
    return found


def puts(server: OpenLmisServer) -> list[Any]:
    return [body for method, path, body in server.api.bodies if method == "PUT" and "/v2/requisitions/" in path]


async def test_a_requested_quantity_arrives_and_nothing_else_changes() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server)
        raw["extraData"] = {"countryField": {"kept": [1, "two", None]}}
        before = line_of(server, raw)
        seen: dict[str, Any] = {"requested_units": before["requestedQuantity"], "comment": ""}
        change: dict[str, Any] = {"requested_units": 480.0, "comment": "Rainy season"}
        receipt = await adapter.send(outgoing("requested", before["id"], change, seen, parent=raw["id"]))
        after = line_of(server, raw)
        assert (after["requestedQuantity"], after["requestedQuantityExplanation"]) == (480, "Rainy season")
        kept = {k: v for k, v in before.items() if not k.startswith("requestedQuantity")}
        assert {k: v for k, v in after.items() if not k.startswith("requestedQuantity")} == kept
        assert server.requisitions.get(raw["id"])["extraData"] == {"countryField": {"kept": [1, "two", None]}}
        assert not receipt.was_applied_before
        record = receipt.records[0]
        assert isinstance(record, Requisition)
        assert record.version == server.requisitions.etag(raw["id"])
        assert record.lines is not None
        assert record.lines[0].requested_units == 480


async def test_a_change_names_the_version_that_was_read() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server)
        etag = server.requisitions.etag(raw["id"])
        await adapter.send(outgoing("requested", line_of(server, raw)["id"], {"requested_units": 3}, parent=raw["id"]))
        sent = next(headers for method, _, headers in server.api.seen if method == "PUT")
        assert sent["if-match"] == etag


async def test_the_body_of_a_change_is_of_the_published_shape() -> None:
    cases: list[tuple[str, str, dict[str, Any]]] = [
        ("INITIATED", "requested", {"requested_units": 12, "comment": "Outbreak"}),
        ("AUTHORIZED", "approved", {"approved_units": 6, "comment": "Halved"}),
    ]
    async with running(small_world()) as server, adapter_for(server) as adapter:
        for status, write, values in cases:
            raw = a_requisition(server, status)
            await adapter.send(outgoing(write, line_of(server, raw)["id"], values, parent=raw["id"]))
        assert len(puts(server)) == 2
        for body in puts(server):
            assert faults("requisition", "requisitionV2.json", body) == []


async def test_an_approved_quantity_and_its_remark_arrive() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, "AUTHORIZED")
        line = line_of(server, raw)
        values: dict[str, Any] = {"approved_units": 30, "comment": "Not enough in store"}
        await adapter.send(
            outgoing("approved", line["id"], values, {"approved_units": line["approvedQuantity"]}, parent=raw["id"])
        )
        after = line_of(server, raw)
        assert (after["approvedQuantity"], after["remarks"]) == (30, "Not enough in store")
        assert after["requestedQuantity"] == line["requestedQuantity"]


async def test_a_field_that_somebody_else_changed_is_a_conflict() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server)
        line = line_of(server, raw)
        seen: dict[str, Any] = {"requested_units": line["requestedQuantity"], "comment": ""}
        edited = {**raw, "requisitionLineItems": [{**line, "requestedQuantity": 77}]}
        server.requisitions.update(raw["id"], edited, None)
        change = outgoing("requested", line["id"], {"requested_units": 480, "comment": "x"}, seen, parent=raw["id"])
        with pytest.raises(Conflict) as both:
            await adapter.send(change)
        assert (both.value.ours, both.value.theirs) == ({"requested_units": 480}, {"requested_units": 77})
        assert line_of(server, raw)["requestedQuantity"] == 77


async def test_another_line_that_somebody_changes_in_between_is_no_conflict() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server)
        first, second = line_of(server, raw, 0), line_of(server, raw, 1)
        update = server.requisitions.update
        raced: list[int] = []

        def racing(key: str, body: Json, if_match: str | None) -> Json:
            if not raced:
                raced.append(1)
                update(key, {"requisitionLineItems": [{**second, "requestedQuantity": 99}]}, None)
            return update(key, body, if_match)

        server.requisitions.update = racing  # type: ignore[method-assign]
        await adapter.send(outgoing("requested", first["id"], {"requested_units": 480}, parent=raw["id"]))
        assert line_of(server, raw, 0)["requestedQuantity"] == 480
        assert line_of(server, raw, 1)["requestedQuantity"] == 99


@pytest.mark.parametrize(
    ("value", "words"),
    [(-1, "negative"), (2.5, "whole units"), (2**40, "smaller whole number"), (float("nan"), "smaller whole number")],
)
async def test_impossible_quantities_are_never_sent(value: float, words: str) -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server)
        change = outgoing("requested", line_of(server, raw)["id"], {"requested_units": value}, parent=raw["id"])
        with pytest.raises(RecordRejected, match=words):
            await adapter.send(change)
        assert puts(server) == []


async def test_a_line_of_an_approved_requisition_is_refused_with_the_reason() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, "APPROVED")
        with pytest.raises(RecordRejected, match="it is APPROVED now"):
            await adapter.send(
                outgoing("approved", line_of(server, raw)["id"], {"approved_units": 3}, parent=raw["id"])
            )


async def test_what_is_refused_for_ever_keeps_the_servers_words_and_key() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server)
        server.world.refuses.add(raw["id"])
        with pytest.raises(RecordRejected) as refused:
            await adapter.send(
                outgoing("requested", line_of(server, raw)["id"], {"requested_units": 3}, parent=raw["id"])
            )
        assert "does not exist" in refused.value.why
        assert "[requisition.error.validation.referencedObjectDoesNotExist]" in refused.value.why


async def test_a_doubtful_line_that_was_applied_is_found_and_not_sent_again() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server)
        line = line_of(server, raw)
        change: dict[str, Any] = {"requested_units": 480, "comment": "two\nlines  of text"}
        seen: dict[str, Any] = {"requested_units": line["requestedQuantity"], "comment": ""}
        await adapter.send(outgoing("requested", line["id"], change, seen, parent=raw["id"]))
        again = await adapter.send(outgoing("requested", line["id"], change, seen, parent=raw["id"], doubtful=True))
        assert again.was_applied_before
        assert len(puts(server)) == 1


@pytest.mark.parametrize(
    ("body", "words"),
    [('{"timestamp": 1, "status": 400, "error": "Bad Request"}', "Bad Request"), ("", "no reason given")],
)
async def test_a_refusal_without_words_is_still_a_refusal(body: str, words: str) -> None:
    """A proxy or a framework that says only “bad request” will say so for ever."""
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server)
        await adapter._client.ensure_signed_in()
        server.faults.kind, server.faults.method, server.faults.refusal = "400", "PUT", body
        change = outgoing("requested", line_of(server, raw)["id"], {"requested_units": 3}, parent=raw["id"])
        with pytest.raises(RecordRejected, match=words):
            await adapter.send(change)


# --- steps -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("write", STEPS)
async def test_every_step_is_taken_once(write: str) -> None:
    status, seen, wanted, after = STEPS[write]
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, status)
        receipt = await adapter.send(outgoing(write, raw["id"], {"stage": wanted}, {"stage": seen}))
        assert raw["status"] == after
        record = receipt.records[0]
        assert isinstance(record, Requisition)
        assert record.stage == wanted
        assert after in receipt.answer
        steps = len(raw["statusHistory"])
        again = await adapter.send(outgoing(write, raw["id"], {"stage": wanted}, {"stage": seen}, doubtful=True))
        assert again.was_applied_before
        assert len(raw["statusHistory"]) == steps


@pytest.mark.parametrize("write", STEPS)
async def test_a_used_key_is_looked_into(write: str) -> None:
    """The answer was lost after the step: the same key again is 409, and the requisition tells."""
    status, seen, wanted, _ = STEPS[write]
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, status)
        key = str(uuid.uuid4())
        server.requisitions.use_key(key)  # the first attempt took it and failed
        steps = len(raw["statusHistory"])
        change = outgoing(write, raw["id"], {"stage": wanted}, {"stage": seen}, key=key, doubtful=True, tries=2)
        receipt = await adapter.send(change)
        assert not receipt.was_applied_before
        assert len(raw["statusHistory"]) == steps + 1
        assert len(server.world.keys_used) == 2


async def test_an_approval_whose_key_was_used_waits_before_it_is_tried_anew() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, "AUTHORIZED", "HIV")
        key = str(uuid.uuid4())
        server.requisitions.use_key(key)
        change = outgoing("approve", raw["id"], {"stage": "approved"}, {"stage": "in_approval"}, key=key, doubtful=True)
        with pytest.raises(NotReady, match="may still be working") as busy:
            await adapter.send(change)
        assert busy.value.is_doubtful
        assert raw["status"] == "AUTHORIZED"


async def test_an_approval_below_the_last_level_is_not_made_twice() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, "AUTHORIZED", "HIV")
        key = str(uuid.uuid4())
        values: dict[str, Any] = {"stage": "approved"}
        seen: dict[str, Any] = {"stage": "in_approval"}
        receipt = await adapter.send(outgoing("approve", raw["id"], values, seen, key=key))
        assert raw["status"] == "IN_APPROVAL"
        assert "next approver" in receipt.answer
        again = await adapter.send(outgoing("approve", raw["id"], values, seen, key=key, doubtful=True, tries=1))
        assert again.was_applied_before
        assert raw["status"] == "IN_APPROVAL"
        await adapter.send(outgoing("approve", raw["id"], values, seen))
        assert raw["status"] == "APPROVED"


async def test_a_programme_without_authorisation_goes_on_by_itself() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, "INITIATED", "FP")
        receipt = await adapter.send(outgoing("submit", raw["id"], {"stage": "submitted"}, {"stage": "draft"}))
        assert raw["status"] == "AUTHORIZED"
        assert "AUTHORIZED" in receipt.answer


async def test_a_step_that_somebody_else_took_is_a_conflict() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, "AUTHORIZED")
        server.requisitions.reject(raw["id"], server.world.users["officer"])
        with pytest.raises(Conflict) as both:
            await adapter.send(outgoing("approve", raw["id"], {"stage": "approved"}, {"stage": "in_approval"}))
        assert (both.value.ours, both.value.theirs) == ({"stage": "approved"}, {"stage": "rejected"})


async def test_another_approval_at_work_is_waited_for() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, "AUTHORIZED")
        server.world.approving.add(raw["id"])
        change = outgoing("approve", raw["id"], {"stage": "approved"}, {"stage": "in_approval"})
        with pytest.raises(NotReady, match="Another approval"):
            await adapter.send(change)
        server.world.approving.clear()
        changed = outgoing(
            "approve", raw["id"], {"stage": "approved"}, {"stage": "in_approval"}, key=change.key, tries=2
        )
        await adapter.send(changed)
        assert raw["status"] == "APPROVED"


async def test_a_missing_explanation_is_said_in_plain_words() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server)
        raw["requisitionLineItems"][0]["requestedQuantity"] += 5
        with pytest.raises(RecordRejected, match="needs an explanation") as refused:
            await adapter.send(outgoing("submit", raw["id"], {"stage": "submitted"}, {"stage": "draft"}))
        assert "requestedQuantityExplanationRequired" in refused.value.why


async def test_a_missing_right_and_a_missing_record_are_refusals() -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        raw = a_requisition(server, "SUBMITTED")
        server.accounts.rights.discard("REQUISITION_AUTHORIZE")
        change = outgoing("authorize", raw["id"], {"stage": "in_approval"}, {"stage": "submitted"})
        with pytest.raises(RecordRejected, match="lacks the right"):
            await adapter.send(change)
        server.requisitions.delete(raw["id"])
        with pytest.raises(RecordRejected, match="does not have this record any more"):
            await adapter.send(change)


@pytest.mark.parametrize(
    ("write", "values"),
    [("approve", {"stage": "closed"}), ("approve", {"comment": "x"}), ("approve", {}), ("nonsense", {"stage": "x"})],
)
async def test_what_no_write_declares_is_refused_before_anything_is_asked(write: str, values: dict[str, str]) -> None:
    async with running(small_world()) as server, adapter_for(server) as adapter:
        with pytest.raises(RecordRejected):
            await adapter.send(outgoing(write, "any", values))
        assert server.api.seen == []
