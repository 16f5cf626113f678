"""The four lists of the tab: their columns, and which acts a row allows (biko.md 2.4 to 2.7)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from app.clock import from_ms
from app.deliveries.codes import CodeListing, RequestListing
from app.deliveries.invitations import InvitationListing
from app.deliveries.linked import LinkedListing
from resources.i18n import tr
from widgets.context import ConsoleContext
from widgets.mod4.record_card import CardText, Deed, RecordCard
from widgets.primitives.tips import plain_tip
from widgets.rows_model import Column
from widgets.theme import Level

INVITATIONS, LINKED, CODES, REQUESTS = "invitations", "linked", "codes", "requests"
Reason = Callable[[], str]
_LEVELS: Mapping[str, Level] = {
    "active": "ok", "accepted": "ok", "approved": "ok", "used": "ok", "trusted": "ok",
    "pending": "warn", "suspended": "warn",
    "here": "info", "revoked": "neutral", "ended": "neutral", "expired": "error", "rejected": "error",
    "no_tries": "error", "online": "ok", "open": "ok", "stale": "warn", "silent": "error", "never": "neutral",
}  # fmt: skip
_WORDS: Mapping[str, str] = {
    "active": tr("Active"), "accepted": tr("Accepted"), "approved": tr("Approved"), "used": tr("Used"),
    "pending": tr("Pending"), "suspended": tr("Suspended"), "here": tr("Saved here"), "revoked": tr("Revoked"),
    "ended": tr("Ended"), "expired": tr("Expired"), "rejected": tr("Rejected"), "no_tries": tr("No tries left"),
    "online": tr("Online"), "open": tr("Open"), "trusted": tr("Trusted"),
    "stale": tr("Stale"), "silent": tr("Silent"), "never": tr("Never heard"),
}  # fmt: skip


def word_of(state: str) -> str:
    return _WORDS.get(state, state.replace("_", " ").capitalize())


def badge_of(state: str, pending: object, refusal: str = "") -> tuple[Level, str]:
    """A state as a pill; what waits in the outbox is not said to be so yet, nor what the platform would not have."""
    if refusal:
        return "error", tr("{state}: refused", state=word_of(state))
    if pending:
        return "info", tr("{state}, saved here", state=word_of(state))
    return _LEVELS.get(state, "neutral"), word_of(state)


def refusal_tip(refusal: str) -> str:
    """Why, and what next; "" for what was not refused."""
    return plain_tip(tr("{why} Try again, or give it up, under Sync.", why=refusal)) if refusal else ""


def invitations_card(context: ConsoleContext, no_line: Reason, no_mail: Reason) -> RecordCard[InvitationListing]:
    formats = context.formats

    def link(row: InvitationListing) -> str:
        if row.is_here:
            return tr("The platform does not have it yet. Its link can be copied once it does.")
        if row.state != "pending" or row.pending:
            return tr("Only a pending invitation has a link that opens something.")
        return no_line()

    def mail(row: InvitationListing) -> str:
        if row.is_here or row.state != "pending" or row.pending:
            return tr("Only a pending invitation that the platform has can be mailed.")
        return no_mail()

    def resend(row: InvitationListing) -> str:
        return "" if row.state in ("expired", "revoked") and not row.pending else tr("It is still good, or waits.")

    def revoke(row: InvitationListing) -> str:
        return "" if row.state == "pending" and not row.is_here else tr("Only a pending invitation can be revoked.")

    def ends(row: InvitationListing) -> str:
        return formats.clock(row.accepted_ms or row.revoked_ms or row.expires_ms)

    return RecordCard(
        context,
        INVITATIONS,
        CardText(
            tr("Sent Invitations"), "mail", tr("No invitations sent"),
            tr("“Link by Email” invites a driver; the invitation stands here until it is accepted."),
            tr("Address…"),
        ),
        [
            Column("email", tr("Address"), lambda row: row.email, width=260),
            Column("state", tr("State"), lambda row: badge_of(row.state, row.pending, row.refusal)[1],
                   badge=lambda row: badge_of(row.state, row.pending, row.refusal),
                   tooltip=lambda row: refusal_tip(row.refusal) or plain_tip(row.answer or row.outbox_state),
                   width=170),
            Column("invited", tr("Invited"), lambda row: formats.clock(row.invited_ms),
                   lambda row: -(row.invited_ms or 0), width=130, note=formats.zone_name),
            Column("ends", tr("Accepted or ends"), ends, width=150),
            Column("by", tr("By"), lambda row: row.invited_by, width=180),
        ],
        lambda row: row.id or row.outbox_id,
        [
            Deed("copy_link", tr("Copy Link"), "copy", link),
            Deed("mail", tr("Mail"), "mail", mail),
            Deed("resend", tr("Resend"), "rotate-ccw", resend),
            Deed("revoke_invitation", tr("Revoke"), "ban", revoke),
        ],
        height=210,
    )  # fmt: skip


def linked_card(context: ConsoleContext, no_line: Reason) -> RecordCard[LinkedListing]:
    formats, now_ms = context.formats, context.services.clock.now_ms

    def only(stage: str, why: str) -> Callable[[LinkedListing], str]:
        return lambda row: "" if row.stage == stage else why

    def heard(row: LinkedListing) -> str:
        if row.signs.heard_ms is None:
            return word_of("never")
        return formats.ago(row.signs.heard_ms, now=from_ms(now_ms()))

    def person(row: LinkedListing) -> str:
        return f"{row.label}  {row.email}" if row.email and row.email != row.label else row.label

    return RecordCard(
        context,
        LINKED,
        CardText(
            tr("Linked Users"), "user-plus", tr("No users linked yet"),
            tr("Link a driver by e-mail, or make a one-time code with the buttons above."),
            tr("Name, address…"),
        ),
        [
            Column("user", tr("User"), person, tooltip=lambda row: plain_tip(row.problem or person(row)), width=340),
            Column("state", tr("Status"), lambda row: badge_of(row.stage, row.pending, row.refusal)[1],
                   badge=lambda row: badge_of(row.stage, row.pending, row.refusal),
                   tooltip=lambda row: refusal_tip(row.refusal), width=150),
            Column("method", tr("Method"), lambda row: row.method_word, width=90),
            Column("heard", tr("Heard"), heard, lambda row: -(row.signs.heard_ms or 0), width=120),
            Column("phones", tr("Phones"), lambda row: str(row.signs.phones), lambda row: row.signs.phones,
                   align="right", width=70),
            Column("driver", tr("Dispatch record"), lambda row: row.driver_name or tr("none"),
                   tooltip=lambda row: plain_tip(row.problem), width=150),
            Column("linked", tr("Linked at"), lambda row: formats.clock(row.linked_ms),
                   lambda row: -(row.linked_ms or 0), width=120, note=formats.zone_name),
            Column("by", tr("Linked by"), lambda row: row.linked_by or "–", width=140),
        ],
        lambda row: row.id,
        [
            Deed("suspend", tr("Suspend"), "ban", only("active", tr("Only an active link can be suspended."))),
            Deed("activate", tr("Re-activate"), "rotate-ccw",
                 lambda row: tr("It is active.") if row.stage == "active" else ""),
            Deed("revoke_link", tr("Revoke"), "trash-2",
                 lambda row: tr("It is revoked already.") if row.stage == "revoked" else ""),
            Deed("phones", tr("Phones and sign-ins…"), "radio", lambda _row: ""),
            Deed("code_for_user", tr("Code…"), "key-round",
                 lambda row: no_line() if row.email else tr("No address is known for this user.")),
        ],
        height=300,
    )  # fmt: skip


def codes_card(context: ConsoleContext, no_line: Reason) -> RecordCard[CodeListing]:
    formats = context.formats

    def left(row: CodeListing) -> str:
        return tr("{minutes} min", minutes=row.minutes_left) if row.left_ms else ""

    return RecordCard(
        context,
        CODES,
        CardText(tr("Pending OTP Codes"), "key-round", tr("No pending codes"),
                 tr("A code lives for fifteen minutes. The codes themselves are never kept here.")),
        [
            Column("email", tr("Address"), lambda row: row.email, width=280),
            Column("state", tr("State"), lambda row: word_of(row.state),
                   badge=lambda row: badge_of(row.state, None), width=130),
            Column("left", tr("Time left"), left, lambda row: row.left_ms, align="right", width=90),
            Column("tries", tr("Tries left"),
                   lambda row: tr("{left} of {most}", left=row.tries_left, most=row.most_tries),
                   align="right", width=100),
            Column("made", tr("Made"), lambda row: formats.clock(row.created_ms), lambda row: -row.created_ms,
                   width=130, note=formats.zone_name),
        ],
        lambda row: row.id,
        [Deed("end_code", tr("End the code"), "ban", lambda row: no_line() if row.left_ms else tr("It has ended."))],
        height=160,
    )  # fmt: skip


def requests_card(context: ConsoleContext) -> RecordCard[RequestListing]:
    formats = context.formats

    def waits(row: RequestListing) -> str:
        return "" if row.stage == "pending" else tr("It is {state} already.", state=word_of(row.stage).lower())

    def contact(row: RequestListing) -> str:
        return ", ".join(part for part in (row.phone, row.email) if part)

    return RecordCard(
        context,
        REQUESTS,
        CardText(tr("Onboarding Requests"), "inbox", tr("No requests"),
                 tr("Whoever asks for access in the driver app stands here, for all workspaces of the platform."),
                 tr("Name, phone, address…")),
        [
            Column("name", tr("Name"), lambda row: row.name, width=190),
            Column("state", tr("Status"), lambda row: badge_of(row.stage, row.pending, row.refusal)[1],
                   badge=lambda row: badge_of(row.stage, row.pending, row.refusal),
                   tooltip=lambda row: refusal_tip(row.refusal), width=170),
            Column("contact", tr("Contact"), contact, tooltip=lambda row: plain_tip(contact(row)), width=270),
            Column("organisation", tr("Organization"), lambda row: row.organisation or "–", width=150),
            Column("submitted", tr("Submitted"), lambda row: formats.clock(row.submitted_ms),
                   lambda row: -row.submitted_ms, width=130, note=formats.zone_name),
            Column("notes", tr("Notes"), lambda row: row.notes, tooltip=lambda row: plain_tip(row.notes), width=180),
        ],
        lambda row: row.id,
        [
            Deed("approve", tr("Approve…"), "check", waits),
            Deed("reject", tr("Reject…"), "x", waits),
        ],
        height=240,
    )  # fmt: skip


AnyCard = RecordCard[Any]
