"""Proving the mail settings: every layer, and a test mail at the end. Nothing is stored; everything blocks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.base import CheckStep, Layer
from adapters.errors import AdapterError, AuthFailed, NotReady
from app.integrations.checks import CheckReport, StepSeen, failed_report
from app.integrations.settings import SettingsRefused
from app.mail.addresses import domain_of, mail_address
from app.mail.errors import MailError
from app.mail.message import build_message
from app.mail.settings import MailSettings, read_mail_settings
from app.mail.smtp import MailLine, Outcome, as_sent
from app.mail.templates import Filled
from app.security.redaction import register_secret
from app.store.ids import new_id

STEP_S = 20.0
LIMIT_S = 90.0


def send_test_mail(
    values: Mapping[str, Any], password: str, recipient: str, now: datetime, on_step: StepSeen | None = None
) -> CheckReport:
    """Send one test mail with settings that may not be saved yet. ``recipient`` empty: to the sender itself.

    Whatever is wrong is in the report, with the layer where it ended.
    """
    if password:
        register_secret(password)
    steps: list[CheckStep] = []

    def seen(step: CheckStep) -> None:
        steps.append(step)
        if on_step is not None:
            on_step(step)

    try:
        settings = read_mail_settings(values, {})
        to = mail_address(recipient or settings.sender)
        _try(settings, password, to, now, seen)
    except SettingsRefused as err:
        return CheckReport(faults=err.faults)
    except MailError as err:
        return failed_report(steps, NotReady(err.why, field=err.field))
    except AdapterError as err:
        return failed_report(steps, err)
    return CheckReport(tuple(steps))


def _try(settings: MailSettings, password: str, to: str, now: datetime, seen: StepSeen) -> None:
    sender = mail_address(settings.sender)
    text = (
        f"This is a test mail of the depot console of {settings.depot_name}.\n\n"
        "Invitations will come from this address. Nothing is to be done.\n"
    )
    filled = Filled("Test of the depot console", text)
    content = as_sent(build_message(settings, to, filled, f"<{new_id()}@{domain_of(sender)}>", now))
    with MailLine(settings, password, seen, step_s=STEP_S, limit_s=LIMIT_S) as line:
        delivery = line.send(content, sender, to)
    if delivery.outcome is Outcome.SENT:
        seen(CheckStep(Layer.PERMISSION, ok=True, detail=f"The mail to {to} was taken: {delivery.answer}"))
        return
    why = f"The mail server signed in but did not take the mail to {to}: {delivery.answer}"
    if delivery.outcome is Outcome.REFUSED:
        # The layer of a refusal that comes after a sign-in is what the account may do.
        raise AuthFailed(f"{why} Check the sender address {sender} and whether this account may send as it.")
    raise NotReady(f"{why} Try again in a few minutes.")
