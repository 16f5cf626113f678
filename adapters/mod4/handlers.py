"""The changes one by one, by the platform's rules (biko.md 2.4 to 2.8, 3.1 to 3.7, 4.4, 4.5)."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from adapters.base import Receipt
from adapters.mod4 import fleet, people
from adapters.mod4.readings import NOW, Equals, Reading
from adapters.mod4.send import Apply, Found, Handler, Task
from adapters.mod4.site import is_id
from adapters.vocabulary import JsonScalar

EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_END_REASON = "admin_terminated"  # what the platform's own page of sessions gives
_OPEN_BATCH = ("planned", "assigned")
_ACTIVE_RUN = ("pending", "dispatched", "in_transit")


def email_of(task: Task) -> str:
    """The address of a change, trimmed and in lower case, as the platform keeps it."""
    email = str(task.outgoing.values.get("email") or "").strip().lower()
    if not EMAIL.fullmatch(email) or len(email) > 320:
        raise task.reject(f"“{email[:100]}” is no e-mail address. Correct it, then send again.")
    return email


# -- links ------------------------------------------------------------------------------------------------------------


def _read_link(task: Task) -> Found | None:
    found = [link for link in people.links(task.tables, task.site) if link.peer_id == task.id]
    return Found(found[0], {"stage": found[0].status}, found[0].status) if found else None


def _change_link(task: Task, before: Found) -> None:
    link: Any = before.record
    values = {"status": str(task.missing["stage"]), "?updated_at": NOW}
    task.change("mod4_driver_links", values, Equals("status", before.status), Equals("user_id", link.user))


def _link_directly(task: Task) -> Receipt:
    email = email_of(task)
    account = task.tables.account(email)
    if not account:
        raise task.reject(
            f"There is no account with the address {email}, or accounts may not be seen from here. Linking makes none: "
            "invite the address, or generate a code where the platform's functions are set up."
        )
    task.call(
        "link_user_to_mod4", p_user_id=account, p_link_method="admin_direct", p_workspace_id=task.site.workspace.id
    )
    made = [link for link in people.links(task.tables, task.site) if link.user == account]
    if not made or made[0].stage != "active":
        raise task.reject("The platform answered without an error, and shows no active link of this account.")
    without = " It has no dispatch record, so that no batch reaches it." if not made[0].driver else ""
    return Receipt(f"{email} is linked.{without}", tuple(made), was_applied_before=False)


# -- requests, phones -------------------------------------------------------------------------------------------------


def _read_request(task: Task) -> Found | None:
    found = people.requests(task.tables, task.site, task.id)
    if not found:
        return None
    return Found(found[0], {"stage": found[0].stage, "notes": found[0].notes}, found[0].status)


def _decide_request(task: Task, before: Found) -> None:
    notes = str(task.outgoing.values.get("notes") or "")
    values = {"reviewed_by": task.actor, "reviewed_at": NOW, "?updated_at": NOW}
    if "stage" in task.missing:
        values["status"] = str(task.missing["stage"])
    if notes and not task.site.inventory.may("onboarding_requests", "reviewer_notes", "update"):
        raise task.reject("This platform keeps no notes with a decision, or lets none be written. Send it without.")
    if notes:
        values["reviewer_notes"] = notes
    task.change("onboarding_requests", values, Equals("status", before.status))


def _read_device(task: Task) -> Found | None:
    found = [one for one in people.devices(task.tables, task.site) if one.peer_id == task.id]
    return Found(found[0], {"stage": found[0].stage}) if found else None


def _revoke_device(task: Task, before: Found) -> None:
    device: Any = before.record
    values = {"is_trusted": "false", "revoked_at": NOW, "?updated_at": NOW}
    if task.actor:
        values["?revoked_by"] = task.actor
    task.change("driver_devices", values, Equals("user_id", device.user))


def _read_session(task: Task) -> Found | None:
    found = people.sessions(task.tables, task.site, task.id)
    return Found(found[0], {"stage": found[0].stage}, found[0].status) if found else None


def _end_session(task: Task, before: Found) -> None:
    """The function asks for no workspace: the session was found among those of its drivers (biko.md 4.7, 4.8).

    It answers false for one that has ended: then the driver, or another console, was quicker by a moment.
    """
    del before
    task.call("end_driver_session", false_is_no=False, p_session_id=task.id, p_end_reason=_END_REASON)


# -- invitations ------------------------------------------------------------------------------------------------------


def _read_invitation(task: Task) -> Found | None:
    found = people.invitations(task.tables, task.site, task.id)
    return Found(found[0], {"stage": found[0].stage}, found[0].status) if found else None


def _pending(task: Task, email: str) -> list[Any]:
    found = people.invitations(task.tables, task.site)
    return [one for one in found if one.stage == "pending" and one.email.lower() == email]


def _invite_address(task: Task, email: str) -> list[Any]:
    task.call(
        "invite_user",
        p_email=email,
        p_workspace_id=task.site.workspace.id,
        p_role_code="driver",
        p_workspace_role="member",
    )
    made = _pending(task, email)
    if not made:
        raise task.reject("The platform answered without an error, and shows no invitation of this address.")
    return made


def _invite(task: Task) -> Receipt:
    email = email_of(task)
    task.require("invitations")
    before = _pending(task, email)
    if task.outgoing.is_doubtful and before:
        return Receipt("An earlier try had reached the platform.", tuple(before), was_applied_before=True)
    made = _invite_address(task, email)
    again = " It had one already, whose link no longer works." if before else ""
    return Receipt(f"{email} is invited until the day shown. Pass the link on: it is not mailed from here.{again}",
                   tuple(made))  # fmt: skip


def _resend(task: Task) -> Receipt:
    """Expired ones are renewed by the platform in place; for a revoked one it makes a new row."""
    before = _read_invitation(task)
    if before is None:
        raise task.reject("The platform has no such invitation in this workspace any more. Give this change up.")
    invitation: Any = before.record
    if task.outgoing.is_doubtful and (pending := _pending(task, invitation.email.lower())):
        return Receipt("An earlier try had reached the platform.", (before.record, *pending), was_applied_before=True)
    if invitation.stage == "accepted":
        raise task.reject(f"{invitation.email} has accepted this invitation meanwhile. Give this change up.")
    made = _invite_address(task, invitation.email.lower())
    after = _read_invitation(task) or before
    return Receipt(f"{invitation.email} is invited again; the new link must be passed on.", (after.record, *made))


def _revoke_invitation(task: Task, before: Found) -> None:
    if task.site.feature("revoke_invitation").way == "function":
        task.call("revoke_invitation", p_invitation_id=task.id)
        return
    values = {"status": "revoked", "?revoked_by": task.actor, "?revoked_at": NOW}
    task.change("user_invitations", values, Equals("status", before.status), people.in_workspace(task.site))


# -- batches ----------------------------------------------------------------------------------------------------------


def _read_batch(task: Task) -> Found | None:
    found = fleet.batch(task.tables, task.site, task.id)
    if found is None:
        return None
    return Found(found, {"stage": found.stage, "driver": found.driver, "vehicle": found.vehicle}, found.status)


def _in_workspace(task: Task, table: str, key: str, what: str) -> None:
    """Raises RecordRejected unless a driver or vehicle is one of the chosen workspace."""
    wanted = Reading(table, (people.in_workspace(task.site), Equals("id", key)), columns=("id",))
    if not is_id(key) or not task.tables.rows(wanted):
        raise task.reject(f"The {what} is none of the workspace {task.site.workspace.name}. Choose another.")


def _change_batch(task: Task, before: Found, values: Mapping[str, str]) -> int:
    guards = (Equals("status", before.status), people.in_workspace(task.site))
    return task.change("delivery_batches", {**values, "?updated_at": NOW}, *guards)


def _assign(task: Task, before: Found) -> None:
    """Vehicle first: the platform's function then assigns the driver, and refuses what its own rules refuse.

    Where a refusal would leave the vehicle behind, both are set in one statement instead.
    """
    batch: Any = before.record
    if before.status not in _OPEN_BATCH or batch.is_locked:
        raise task.reject(f"The batch is “{before.status}”; it can be assigned only before it starts.")
    driver = str(task.outgoing.values.get("driver") or batch.driver)
    if not driver:
        raise task.reject("A batch is assigned to a driver. Choose one.")
    _in_workspace(task, "drivers", driver, "driver")
    vehicle = str(task.missing.get("vehicle") or "")
    values: dict[str, str] = {}
    if vehicle:
        task.require("assign_vehicle")
        _in_workspace(task, "vehicles", vehicle, "vehicle")
        values = {"vehicle_id": vehicle, "?vehicle_ids": f"{{{vehicle}}}"}
    is_for_driver = "driver" in task.missing or before.status != "assigned"
    by_function = task.site.feature("assign").way == "function" and (task.tables.undoes or not vehicle)
    if is_for_driver and not by_function:
        values |= {"driver_id": driver, "status": "assigned"}
    if values:
        _change_batch(task, before, values)
    if is_for_driver and by_function:
        task.call("assign_driver_to_batch", p_batch_id=task.id, p_driver_id=driver)


def _start(task: Task, before: Found) -> None:
    batch: Any = before.record
    if before.status not in _OPEN_BATCH:
        raise task.reject(f"The batch is “{before.status}”; only a planned or assigned one can be started.")
    lacking = [word for word, value in (("driver", batch.driver), ("vehicle", batch.vehicle)) if not value]
    if lacking:
        raise task.reject(f"The batch has no {' and no '.join(lacking)}. Assign it first, then start it.")
    if task.site.feature("start").way == "function":
        task.call("start_dispatch", p_batch_id=task.id)
    else:
        _change_batch(task, before, {"status": "in-progress", "actual_start_time": NOW})


def _complete(task: Task, before: Found) -> None:
    if before.status != "in-progress":
        raise task.reject(f"The batch is “{before.status}”; only one in progress can be completed.")
    if task.site.feature("complete").way == "function":
        task.call("complete_dispatch", p_batch_id=task.id)
    else:
        _change_batch(task, before, {"status": "completed", "actual_end_time": NOW})


def _cancel(task: Task, before: Found) -> None:
    if before.status not in (*_OPEN_BATCH, "in-progress"):
        raise task.reject(f"The batch is “{before.status}”; it can no longer be cancelled.")
    _change_batch(task, before, {"status": "cancelled"})


# -- runs -------------------------------------------------------------------------------------------------------------


def _read_run(task: Task) -> Found | None:
    found = fleet.runs(task.tables, task.site, only=task.id)
    if not found:
        return None
    run = found[0]
    values: dict[str, JsonScalar] = {"stage": run.stage, "notes": run.notes, "cancel_reason": run.cancel_reason}
    return Found(run, values, run.status)


def _step_run(allowed: tuple[str, ...]) -> Apply:
    def apply(task: Task, before: Found) -> None:
        wanted = str(task.outgoing.values["stage"])
        if before.status not in allowed:
            raise task.reject(
                f"The run is “{before.status}”; the platform lets it become “{wanted}” only from {', '.join(allowed)}."
            )
        values = {"status": wanted, "?updated_at": NOW}
        if reason := str(task.outgoing.values.get("cancel_reason") or ""):
            values["cancel_reason"] = reason
        task.change("dispatch_runs", values, Equals("status", before.status), people.in_workspace(task.site))

    return apply


def _new_run(task: Task) -> Receipt:
    """The run's id is the change's own key, so that a second try finds the first."""
    may, key = task.site.inventory.may, task.outgoing.key
    if made := fleet.runs(task.tables, task.site, only=key):
        return Receipt("An earlier try had reached the platform.", tuple(made), was_applied_before=True)
    batch_id = str(task.outgoing.values.get("batch") or "")
    batch = fleet.batch(task.tables, task.site, batch_id)
    if batch is None:
        raise task.reject("The batch is none of this workspace, or was deleted. Choose another.")
    if batch.stage in ("completed", "cancelled"):
        raise task.reject(f"The batch is “{batch.status}”; no run of it can be made any more.")
    active = [run for run in fleet.runs(task.tables, task.site, batch_id=batch_id) if run.stage in _ACTIVE_RUN]
    if active:
        raise task.reject(f"The batch has a run that is “{active[0].status}”; finish or cancel it first.")
    driver = str(task.outgoing.values.get("driver") or batch.driver)
    vehicle = str(task.outgoing.values.get("vehicle") or batch.vehicle)
    for table, one, what in (("drivers", driver, "driver"), ("vehicles", vehicle, "vehicle")):
        if one:
            _in_workspace(task, table, one, what)
    given: dict[str, str] = {
        "id": key,
        "workspace_id": task.site.workspace.id,
        "batch_id": batch_id,
        "status": "pending",
        "driver_id": driver,
        "vehicle_id": vehicle,
        "stops_total": str(len(batch.lines or ())),
        "notes": str(task.outgoing.values.get("notes") or ""),
        "created_by": task.actor,
    }
    values = {name: text for name, text in given.items() if text and may("dispatch_runs", name, "insert")}
    task.tables.add("dispatch_runs", values)
    rows = fleet.runs(task.tables, task.site, batch_id=batch_id)
    made = [
        run
        for run in rows
        if run.peer_id == key or (not may("dispatch_runs", "id", "insert") and run.stage == "pending")
    ]
    if not made:
        raise task.reject("The platform answered without an error, and shows no run of this batch.")
    return Receipt("The dispatch run is in the platform.", tuple(made))


def _row(feature: str, read: Callable[[Task], Found | None], apply: Apply, verbs: str) -> Handler:
    return Handler(feature, read=read, apply=apply, verbs=verbs)


_LINK = _row("change_links", _read_link, _change_link, "the link's new status")
_REQUEST = _row("decide_requests", _read_request, _decide_request, "the decision")

HANDLERS: Mapping[str, Handler] = {
    "invite": Handler("invite", make=_invite),
    "resend_invitation": Handler("invite", make=_resend),
    "revoke_invitation": _row("revoke_invitation", _read_invitation, _revoke_invitation, "the revocation"),
    "link_directly": Handler("link_directly", make=_link_directly),
    "suspend_link": _LINK,
    "revoke_link": _LINK,
    "activate_link": _LINK,
    "approve_request": _REQUEST,
    "reject_request": _REQUEST,
    "revoke_device": _row("revoke_devices", _read_device, _revoke_device, "the revocation"),
    "end_session": _row("end_sessions", _read_session, _end_session, "the end of the sign-in"),
    "assign_batch": _row("assign", _read_batch, _assign, "the assignment"),
    "start_batch": _row("start", _read_batch, _start, "the start"),
    "complete_batch": _row("complete", _read_batch, _complete, "the completion"),
    "cancel_batch": _row("cancel", _read_batch, _cancel, "the cancellation"),
    "new_run": Handler("new_runs", make=_new_run),
    "dispatch_run": _row("change_runs", _read_run, _step_run(("pending",)), "the dispatch"),
    "depart_run": _row("change_runs", _read_run, _step_run(("dispatched",)), "the departure"),
    "complete_run": _row("change_runs", _read_run, _step_run(("in_transit",)), "the completion"),
    "cancel_run": _row("change_runs", _read_run, _step_run(_ACTIVE_RUN), "the cancellation"),
}
