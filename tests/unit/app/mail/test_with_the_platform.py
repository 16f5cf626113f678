"""The whole way: an engine, a real platform and a real mail server; the link in the mail is the platform's own."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path
from random import Random

from adapters.mod4.desk import token_text
from adapters.mod4.simulator import Platform
from app.clock import SystemClock, utc_now
from app.deliveries.acts import invite
from app.engine.engine import Engine
from app.engine.sink import StoreSink
from app.integrations.changes import Desk, add
from app.mail.listing import list_mails
from app.mail.queue import mail_invitation
from app.mail.settings import save_mail_settings
from app.mail.words import MailState
from app.security.vault import MemoryVault
from app.store.store import Store
from app.store.tables import Act, IntegrationLog, MailMessage
from app.tasks import Tasks
from tests.helpers.dispatch import catalogue
from tests.helpers.fake_adapter import until
from tests.helpers.fleet import rows_of
from tests.helpers.mail_server import PASSWORD, MailServer


async def test_from_an_invitation_to_the_mail(
    sqlite_store: Store, repaired: Platform, server: MailServer, tmp_path: Path
) -> None:
    store, vault, known = sqlite_store, MemoryVault(), catalogue()
    entered = {**repaired.settings(), "changes": True, "poll_interval_s": 10}
    secrets = {"password": str(entered.pop("password"))}
    desk = Desk(store, known, vault)
    integration_id = await asyncio.to_thread(add, desk, "mod4", "Mod4", entered, secrets)
    await asyncio.to_thread(save_mail_settings, store, vault, server.values(), {"password": PASSWORD})
    failures: list[object] = []
    tasks = Tasks(lambda name, failure: failures.append((name, failure)))
    engine = Engine(
        store, known, vault, clock=SystemClock(), sink=StoreSink(store), tasks=tasks, rng=Random(1),
        data_dir=tmp_path, followers=(),
    )  # fmt: skip
    running = tasks.start(engine.run(), name="engine", owner="test")

    def invited(connection: object) -> None:
        saved = invite(connection, known, integration_id, "hope@example.org", now=utc_now())  # type: ignore[arg-type]
        mail_invitation(connection, outbox_id=saved.outbox_id, now=utc_now())  # type: ignore[arg-type]

    def states() -> list[MailState]:
        with store.read() as connection:
            return [row.state for row in list_mails(connection)]

    try:
        await asyncio.wrap_future(store.write(invited))
        await until(lambda: states() == [MailState.SENT], 40)
    finally:
        engine.stop()
        await running
        await tasks.close()
    (mail,) = server.postman.mails
    query = "SELECT invitation_token FROM user_invitations WHERE email = %s"
    ((token,),) = await asyncio.to_thread(partial(repaired.rows, query, "hope@example.org"))
    assert f"https://drivers.example.org/invite/{token_text(str(token))}" in mail.get_content()
    kept = "".join(repr(row) for table in (MailMessage, Act, IntegrationLog) for row in rows_of(store, table))
    assert token_text(str(token)) not in kept
    assert "mod4.invitation_link" in [act.what for act in rows_of(store, Act)]
    assert failures == []
