"""A site without a route to the database: Mod4 Setup over the platform's web service, by clicking.

The whole console with its engine stands over the real service of a repaired platform, under its own row security.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from adapters.mod4.simulator import Platform
from adapters.mod4.simulator.web import serving
from dialogs.mod4.one_time_code import OneTimeCodeDialog
from tests.features.windows.test_window_mod4 import (
    NEW,
    WAIT_S,
    click,
    end_a_session,
    invitations,
    link_by_email,
    rows,
    tab_over,
)
from tests.helpers.qt import open_dialog, until
from tests.helpers.window import asked, console_on

PASSWORD = "a long password"


@pytest.mark.timeout(300)
async def test_drivers_are_invited_coded_and_signed_out_and_what_is_hidden_says_why(
    tmp_path: Path, repaired: Platform
) -> None:
    owner = repaired.world.owner
    await rows(
        repaired,
        "UPDATE auth.users SET encrypted_password = extensions.crypt(%s, extensions.gen_salt('bf')) WHERE id = %s "
        "RETURNING 1",
        PASSWORD,
        owner.id,
    )
    async with serving(repaired) as web, console_on(tmp_path, page="integrations") as console:
        reached = {"way": "web", "url": web.url, "email": owner.email, "workspace": repaired.world.workspace_id}
        secrets = {"anon_key": web.anon_key, "account_password": PASSWORD}
        tab = await tab_over(console, repaired, reached, secrets)
        await until(tab.trouble.isVisible, WAIT_S)
        said = tab.trouble.words.text()
        assert "Row security of mod4_otp_codes" in said
        assert owner.email in said

        await link_by_email(tab)
        await until(lambda: any(row.email == NEW and row.state == "pending" for row in invitations(tab)), WAIT_S)
        invited = "SELECT status::text FROM user_invitations WHERE email = %s"
        assert await rows(repaired, invited, NEW) == [("pending",)]

        await until(lambda: any(row.stage == "active" and row.email for row in tab.linked.table.model.rows), WAIT_S)
        row = next(row for row in tab.linked.table.model.rows if row.stage == "active" and row.email)
        tab.linked.table.select_key(row.id)
        click(tab.linked.buttons["code_for_user"])
        code = await asked(OneTimeCodeDialog)
        click(code.generate)
        await until(lambda: len(code.code.text()) == 6, WAIT_S)
        pending = "SELECT count(*) FROM mod4_otp_codes WHERE lower(target_email) = %s AND status::text = 'pending'"
        assert await rows(repaired, pending, row.email.lower()) == [(1,)]
        click(code.finish)
        await until(lambda: open_dialog() is None)

        await end_a_session(tab, repaired)
