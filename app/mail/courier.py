"""The engine's side of mail: takes what is due to the mail server, one connection at a time, off the loop.

A mail stands as ``sending`` in the store before its first byte goes out, so that a killed engine leaves a doubt and
never a silent repeat. The link of an invitation is asked for at the platform when the line to the mail server stands,
goes into the mail, and is kept nowhere (docs/decisions/0110).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from adapters.errors import AdapterError, NotReady
from app.clock import from_ms, to_ms
from app.demo_folder import is_demo
from app.engine.delays import retry_delay_s
from app.engine.journal import write_log
from app.engine.ports import Ports, read, rings_within
from app.errors import OperatorError
from app.integrations.changes import Desk
from app.integrations.rows import UnknownIntegration
from app.mail.addresses import mail_address
from app.mail.errors import MailError
from app.mail.message import build_message
from app.mail.sending import (
    DueMail,
    cancel_uninvited,
    doubt_left_over,
    find_due,
    mark_sending,
    next_due,
    write_delivery,
    write_unsent,
)
from app.mail.settings import SavedMail, get_mail_settings, stored_password
from app.mail.smtp import Delivery, MailLine, Outcome, as_sent
from app.mail.templates import Template, day_and_time, fill, get_template
from app.mail.trouble import Trouble, clear_trouble, get_trouble, note_trouble
from app.security.redaction import register_secret
from app.security.vault import VaultError
from app.store.errors import StoreError

TOPICS = frozenset({"mail", "outbox", "drivers"})
LOOK_S = 300.0
"""Without anything moved the queue is looked at that often: a clock may have been set."""
FIRST_DELAY_S = 60.0
LONGEST_DELAY_S = 3_600.0
BLOCKED_S = 3_600.0
"""A sign-in that was refused is not tried again sooner by itself: providers lock accounts."""
AFTER_FAULT_S = 60.0
ENDING_S = 3.0
"""How long the end of an engine waits for the answer of a mail that is under way."""

AskLink = Callable[[DueMail], Awaitable[BaseModel]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Work:
    saved: SavedMail
    due: list[DueMail]
    template: Template


class MailCourier:
    """One per engine. Everything happens on the engine's loop but the talking, which happens in threads."""

    def __init__(self, ports: Ports, data_dir: Path | None = None, *, ask_link: AskLink | None = None) -> None:
        self._ports = ports
        self._sends = data_dir is None or not is_demo(data_dir)
        self._ask_link = ask_link or self._link_of
        self._wake = asyncio.Event()
        self._unwritten: list[Callable[[Any], None]] = []

    async def close_left_over(self) -> None:
        """At the start, before anything is taken up. Raises StoreError."""
        doubted = await self._write(partial(doubt_left_over, now=self._now()))
        if doubted:
            _log.warning("%d mails were with the mail server when the engine ended", doubted)

    def moved(self, topics: frozenset[str]) -> None:
        """Something was committed. Call it on the loop."""
        if topics & TOPICS:
            self._wake.set()

    async def watch(self) -> None:
        """Send whatever is due, until cancelled. A demo sends no mail."""
        while self._sends:
            self._wake.clear()
            try:
                wait_s = await self.look()
            except StoreError as err:
                _log.warning("the queue of mails cannot be read now, looking again: %s", err)
                wait_s = AFTER_FAULT_S
            except Exception:  # noqa: BLE001 - a defect met by one mail must not end the sending of all
                _log.exception("sending mail failed; going on in %.0f s", AFTER_FAULT_S)
                wait_s = AFTER_FAULT_S
            await rings_within(self._wake, max(wait_s, 0.2), self._ports.clock)

    async def look(self) -> float:
        """Send what is due now; returns after how many seconds to look again. Raises StoreError."""
        await self._write_unwritten()
        now = self._now()
        await self._write(partial(cancel_uninvited, now=now))
        work, wait_s = await read(self._ports.store, partial(self._find, now=now))
        if work is None:
            return wait_s
        if why := await asyncio.to_thread(self._ports.seal.verify, now):
            _log.info("no mail is sent: %s", why)
            return LOOK_S
        await self._send_all(work)
        return 0.0

    def _find(self, connection: Any, now: datetime) -> tuple[_Work | None, float]:
        saved = get_mail_settings(connection)
        if saved is None or not saved.settings.enabled:
            return None, LOOK_S
        trouble = get_trouble(connection)
        if trouble is not None and trouble.version == saved.version:
            again_ms = trouble.next_try_ms or trouble.since_ms + int(BLOCKED_S * 1000)
            if again_ms > to_ms(now):
                return None, min((again_ms - to_ms(now)) / 1000, LOOK_S)
        due = find_due(connection, now)
        if due:
            return _Work(saved, due, get_template(connection)), 0.0
        later = next_due(connection, now)
        return None, LOOK_S if later is None else min((later - now).total_seconds(), LOOK_S)

    # -- one stretch ----------------------------------------------------------------------------------------------

    async def _send_all(self, work: _Work) -> None:
        """Over one connection; trouble of the line ends the stretch and leaves the rest waiting."""
        try:
            password = await asyncio.to_thread(stored_password, self._ports.vault)
            line = MailLine(work.saved.settings, password)
            await asyncio.to_thread(line.__enter__)
        except (AdapterError, VaultError) as err:
            await self._note_trouble(work.saved, err)
            return
        try:
            await self._write(partial(clear_trouble, now_ms=to_ms(self._now())))
            for due in work.due:
                if not await self._send(work, due, line):
                    return
        finally:
            await asyncio.to_thread(line.__exit__, None, None, None)

    async def _note_trouble(self, saved: SavedMail, err: AdapterError | VaultError) -> None:
        now_ms = to_ms(self._now())
        before = await read(self._ports.store, get_trouble)
        failures = 1 if before is None else before.failures + 1
        field = getattr(err, "field", "")
        may_pass = isinstance(err, NotReady | VaultError)
        delay_s = retry_delay_s(failures, getattr(err, "retry_after_s", None), self._ports.rng)
        since_ms = now_ms if before is None or not may_pass else before.since_ms
        next_ms = now_ms + int(delay_s * 1000) if may_pass else 0
        trouble = Trouble(err.why, since_ms, next_ms, failures, saved.version, field)
        _log.warning("no mail can be sent now: %s", err.why)
        await self._write(partial(note_trouble, trouble=trouble, now_ms=now_ms))

    async def _send(self, work: _Work, due: DueMail, line: MailLine) -> bool:
        """One mail; False where the connection is of no use for another."""
        settings = work.saved.settings
        try:
            filled = fill(work.template, await self._values(work, due))
            content = as_sent(build_message(settings, due.recipient, filled, due.message_id, self._now()))
            sender = mail_address(settings.sender)
        except (AdapterError, OperatorError) as err:
            await self._note_unsent(due, err)
            return True
        tried = await self._write(partial(mark_sending, mail_id=due.id, now=self._now()))
        if tried is None:
            return True
        try:
            await asyncio.to_thread(self._ports.seal.note_try, tried)
        except StoreError as err:
            await self._note_delivery(due, Delivery(Outcome.LATER, err.why))
            return False
        loop = asyncio.get_running_loop()
        sending = loop.run_in_executor(None, line.send, content, sender, due.recipient)
        try:
            delivery = await asyncio.shield(sending)
        except asyncio.CancelledError:
            await self._end_while(sending, due)
            raise
        await self._note_delivery(due, delivery)
        return not delivery.is_cut

    async def _end_while(self, sending: asyncio.Future[Delivery], due: DueMail) -> None:
        """The engine ends: an answer that comes soon is kept, otherwise the next start finds a doubt."""
        await asyncio.wait({sending}, timeout=ENDING_S)
        if sending.done() and sending.exception() is None:
            self._ports.scribe.note(self._delivery_job(due, sending.result()))

    async def _values(self, work: _Work, due: DueMail) -> dict[str, str]:
        """What fills the template. Raises what keeps this mail from being sent."""
        if not due.invitation:
            raise NotReady("The platform has the invitation; its row has not been read yet. It is tried again.")
        found: Any = await self._ask_link(due)
        if str(found.email).strip().lower() != due.recipient.lower():
            raise MailError("The invitation belongs to another address by now. Cancel this mail and invite again.")
        link = str(found.link)
        for part in (link, urlsplit(link).path.rpartition("/")[2]):
            register_secret(part)  # a mail server that quotes it must not get it into our log
        if urlsplit(link).scheme not in ("https", "http") or any(char.isspace() for char in link):
            raise MailError("The platform's link is no web address. Correct the driver app's address in its settings.")
        expires = day_and_time(found.expires_ms) if found.expires_ms else "it is used"
        return {**due.values, "link": link, "expires": expires, "depot": work.saved.settings.depot_name}

    async def _link_of(self, due: DueMail) -> BaseModel:
        from app.deliveries.platforms import run_action

        ports = self._ports
        desk = Desk(ports.store, ports.catalogue, ports.vault)
        parameters = {"invitation": due.invitation}
        return await run_action(
            desk, due.integration_id, "invitation_link", parameters, ports.clock, who=due.created_by
        )

    # -- what is written ------------------------------------------------------------------------------------------

    async def _note_unsent(self, due: DueMail, err: AdapterError | OperatorError) -> None:
        """The platform decides about links: what it refuses for good is set aside, the rest is tried again."""
        if isinstance(err, StoreError):
            raise err
        may_pass = isinstance(err, NotReady | VaultError) or type(err).__name__ in ("AuthFailed", "BadReply")
        gone = isinstance(err, UnknownIntegration)
        next_try = self._next_try(due) if may_pass and not gone else None
        job = partial(write_unsent, mail_id=due.id, why=err.why, next_try=next_try, now=self._now())
        await self._write(job)

    async def _note_delivery(self, due: DueMail, delivery: Delivery) -> None:
        """Raises StoreError; what could not be written is written before anything else is sent."""
        self._unwritten.append(self._delivery_job(due, delivery))
        await self._write_unwritten()

    async def _write_unwritten(self) -> None:
        while self._unwritten:
            await self._write(self._unwritten[0])
            del self._unwritten[0]

    def _delivery_job(self, due: DueMail, delivery: Delivery) -> Callable[[Any], None]:
        now, next_try = self._now(), self._next_try(due)

        def job(connection: Any) -> None:
            write_delivery(connection, due, delivery, next_try, now)
            if delivery.outcome in (Outcome.SENT, Outcome.REFUSED):
                is_sent = delivery.outcome is Outcome.SENT
                event = "mail_sent" if is_sent else "mail_refused"
                text = f"Mail to {due.recipient}: {'sent' if is_sent else 'refused'}. {delivery.answer}"
                write_log(connection, None, event, text, payload={"mail": due.id}, now_ms=to_ms(now))

        return job

    def _next_try(self, due: DueMail) -> datetime:
        ceiling = min(FIRST_DELAY_S * 2 ** min(due.tries, 10), LONGEST_DELAY_S)
        return self._now() + timedelta(seconds=self._ports.rng.uniform(0.8, 1.0) * ceiling)

    async def _write(self, job: Callable[[Any], Any]) -> Any:
        return await asyncio.wrap_future(self._ports.store.write(job))

    def _now(self) -> datetime:
        return from_ms(self._ports.clock.now_ms())
