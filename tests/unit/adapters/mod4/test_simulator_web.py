"""The simulated platform over HTTP: it says what the platform says, its false successes included."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from adapters.mod4.simulator import Platform
from adapters.mod4.simulator.web import Web, serving

PASSWORD = "a long password"


@pytest.fixture
async def web(repaired: Platform) -> AsyncIterator[Web]:
    async with serving(repaired) as running:
        yield running


@asynccontextmanager
async def signed_in(web: Web, number: int = 0) -> AsyncIterator[httpx.AsyncClient]:
    user = web.platform.world.crew.staff[number]
    web.platform.rows(
        "UPDATE auth.users SET encrypted_password = extensions.crypt(%s, extensions.gen_salt('bf')) WHERE id = %s",
        PASSWORD, user.id,
    )  # fmt: skip
    async with httpx.AsyncClient(base_url=web.url, headers={"apikey": web.anon_key}) as client:
        body = {"email": user.email, "password": PASSWORD}
        answer = await client.post("/auth/v1/token", params={"grant_type": "password"}, json=body)
        client.headers["authorization"] = f"Bearer {answer.json()['access_token']}"
        yield client


async def test_keys_and_tokens_are_asked_for(web: Web) -> None:
    async with httpx.AsyncClient(base_url=web.url) as nobody:
        assert (await nobody.get("/rest/v1/drivers")).status_code == 401
        nobody.headers["apikey"] = web.anon_key
        wrong = await nobody.post("/auth/v1/token", json={"email": web.platform.world.owner.email, "password": "x"})
        assert (wrong.status_code, wrong.json()["error_code"]) == (400, "invalid_credentials")
        assert (await nobody.get("/rest/v1/drivers")).json() == []
        for path in ("generate-driver-otp", "invite-user"):
            assert (await nobody.post(f"/functions/v1/{path}", json={})).status_code == 401
    async with signed_in(web) as client:
        assert (await client.get("/rest/v1/drivers")).status_code == 200
        web.expire_tokens()
        assert (await client.get("/rest/v1/drivers")).status_code == 401


async def test_tables_are_filtered_sorted_and_paged_under_row_security(web: Web) -> None:
    workspace = web.platform.world.workspace_id
    async with signed_in(web) as client:
        query = {"select": "id,name,status", "workspace_id": f"eq.{workspace}", "status": "in.(planned,assigned)",
                 "order": "name.desc", "limit": "3", "offset": "1"}  # fmt: skip
        rows = (await client.get("/rest/v1/delivery_batches", params=query)).json()
        assert [set(row) for row in rows] == [{"id", "name", "status"}] * 3
        assert [row["name"] for row in rows] == sorted((row["name"] for row in rows), reverse=True)
        assert (await client.get("/rest/v1/mod4_otp_codes")).json() == []
        bad = await client.get("/rest/v1/delivery_batches", params={"status": "eq.active"})
        assert (bad.status_code, bad.json()["code"]) == (400, "22P02")
        assert (await client.get("/rest/v1/nothing")).status_code == 404
        assert (await client.get("/rest/v1/drivers", params={"name": "like.x"})).status_code == 400


async def test_a_change_of_no_row_is_a_success_here(web: Web) -> None:
    request = web.platform.world.id("request", 0)
    async with signed_in(web) as client:
        where = {"id": f"eq.{request}"}
        answer = await client.patch("/rest/v1/onboarding_requests", params=where, json={"status": "approved"})
        assert answer.status_code == 204
        shown = await client.patch(
            "/rest/v1/onboarding_requests", params=where, json={"status": "approved"},
            headers={"prefer": "return=representation"},
        )  # fmt: skip
        assert (shown.status_code, shown.json()) == (200, [])
        stop = web.platform.rows("SELECT id::text FROM route_history LIMIT 1")[0][0]
        told = await client.post(
            "/functions/v1/update-stop-status", json={"route_history_id": stop, "status": "skipped"}
        )
        assert told.json() == {"success": True}
        assert web.platform.rows("SELECT count(*) FROM route_history WHERE status = 'skipped'") == [(0,)]
        batch = web.platform.world.of("planned")[0].id
        own = await client.patch("/rest/v1/delivery_batches", params={"id": f"eq.{batch}"}, json={"notes": "seen"},
                                 headers={"prefer": "return=representation"})  # fmt: skip
        assert [row["notes"] for row in own.json()] == ["seen"]


async def test_functions_answer_as_the_caller(web: Web) -> None:
    workspace, batch = web.platform.world.workspace_id, web.platform.world.of("assigned")[0].id
    async with signed_in(web) as client:
        linked = await client.post("/rest/v1/rpc/get_mod4_linked_users", json={"p_workspace_id": workspace})
        assert (len(linked.json()), set(linked.json()[0]) >= {"user_email", "linked_by_name"}) == (11, True)
        invite = {"p_email": "x@mail.example", "p_workspace_id": workspace, "p_role_code": "driver",
                  "p_workspace_role": "member", "p_personal_message": None}  # fmt: skip
        made = (await client.post("/rest/v1/rpc/invite_user", json=invite)).json()
        mail = {"email": "x@mail.example", "invitation_token": made["invitation_token"], "workspace_name": "N",
                "target_app": "mod4"}  # fmt: skip
        assert (await client.post("/functions/v1/invite-user", json=mail)).json() == {"success": True}
        assert re.fullmatch(r"https://mod4\.example/invite/[\w-]{22}", web.mails[0]["url"])
        web.mail_fails = True
        failed = await client.post("/functions/v1/invite-user", json=mail)
        assert (failed.status_code, failed.json()["invitation_url"]) == (500, web.mails[0]["url"])
        assert (await client.post("/rest/v1/rpc/start_dispatch", json={"p_batch_id": batch})).status_code == 200
        again = await client.post("/rest/v1/rpc/start_dispatch", json={"p_batch_id": batch})
        assert (again.status_code, again.json()["message"]) == (
            400, "Cannot start dispatch for batch in status in-progress"
        )  # fmt: skip
        assert (await client.post("/rest/v1/rpc/no_such", json={})).status_code == 404
    async with signed_in(web, 2) as viewer:
        refused = await viewer.post("/rest/v1/rpc/invite_user", json=invite)
        assert (refused.status_code, refused.json()["code"]) == (403, "42501")


async def test_a_code_comes_with_an_account(web: Web) -> None:
    async with signed_in(web) as client:
        body = {"email": " Somebody@New.example ", "workspaceId": web.platform.world.workspace_id}
        code = (await client.post("/functions/v1/generate-driver-otp", json=body)).json()["otp"]
        made = "SELECT raw_user_meta_data ->> 'created_for' FROM auth.users WHERE email = 'somebody@new.example'"
        assert web.platform.rows(made) == [("mod4_driver",)]
        assert web.platform.rows("SELECT public.verify_mod4_otp('somebody@new.example', %s)", code) == [
            ("somebody@new.example",)
        ]
        missing = await client.post("/functions/v1/generate-driver-otp", json={"email": "a@b.example"})
        assert missing.status_code == 400
        web.platform.faults.refuse_connections()
        down = await client.get("/rest/v1/drivers")
        assert down.status_code == 503


async def test_as_committed_the_reason_comes_through(as_committed: Platform) -> None:
    async with serving(as_committed) as web, signed_in(web) as client:
        body = {"email": "a@b.example", "workspaceId": as_committed.world.workspace_id}
        answer = await client.post("/functions/v1/generate-driver-otp", json=body)
        assert (answer.status_code, "gen_random_bytes" in answer.json()["error"]) == (400, True)


async def test_a_session_is_renewed_once_by_its_own_token(web: Web) -> None:
    async with signed_in(web) as client:
        user = web.platform.world.crew.staff[0]
        answer = await client.post(
            "/auth/v1/token", params={"grant_type": "password"}, json={"email": user.email, "password": PASSWORD}
        )
        renew = {"refresh_token": answer.json()["refresh_token"]}
        web.expire_tokens()
        assert (await client.get("/rest/v1/drivers")).json()["code"] == "PGRST301"
        again = await client.post("/auth/v1/token", params={"grant_type": "refresh_token"}, json=renew)
        client.headers["authorization"] = f"Bearer {again.json()['access_token']}"
        assert (await client.get("/rest/v1/drivers")).status_code == 200
        twice = await client.post("/auth/v1/token", params={"grant_type": "refresh_token"}, json=renew)
        assert (twice.status_code, twice.json()["error_code"]) == (400, "refresh_token_not_found")


async def test_pages_are_bounded_counted_and_followed_by_their_keys(web: Web) -> None:
    web.most_rows = 2
    async with signed_in(web) as client:
        query = {"select": "id", "order": "id.asc", "limit": "50"}
        found: list[str] = []
        while True:
            more = {"id": f"gt.{found[-1]}"} if found else {}
            answer = await client.get("/rest/v1/drivers", params={**query, **more}, headers={"prefer": "count=exact"})
            rows = answer.json()
            total = int(answer.headers["content-range"].partition("/")[2])
            found += [row["id"] for row in rows]
            if total <= len(rows):
                break
        assert len(rows) <= 2
        assert len(set(found)) == len(found) == web.platform.rows("SELECT count(*) FROM drivers")[0][0]


async def test_rows_are_kept_to_a_workspace_by_their_keys_and_conditions_are_grouped(web: Web) -> None:
    workspace = web.platform.world.workspace_id
    async with signed_in(web) as client:
        query = {"select": "id,status,delivery_batches!inner(workspace_id)",
                 "delivery_batches.workspace_id": f"eq.{workspace}",
                 "or": '(status.eq."completed",and(status.neq.pending,sequence_number.gte.1))'}  # fmt: skip
        rows = (await client.get("/rest/v1/route_history", params=query)).json()
        assert rows
        assert all(row["delivery_batches"] == {"workspace_id": workspace} for row in rows)
        assert "pending" not in {row["status"] for row in rows}
        none = {"select": "id,drivers!inner(workspace_id)"}
        refused = await client.get("/rest/v1/onboarding_requests", params=none)
        assert (refused.status_code, refused.json()["code"]) == (400, "PGRST200")


async def test_a_function_that_is_asked_by_get_cannot_write(web: Web) -> None:
    batch = web.platform.world.of("assigned")[0].id
    async with signed_in(web) as client:
        answer = await client.get("/rest/v1/rpc/start_dispatch", params={"p_batch_id": batch})
        assert (answer.status_code, answer.json()["code"]) == (405, "25006")
        other = await client.get("/rest/v1/rpc/start_dispatch", params={"p_other": batch})
        assert other.status_code == 404
        listed = await client.get(
            "/rest/v1/rpc/get_mod4_linked_users",
            params={"p_workspace_id": web.platform.world.workspace_id, "select": "id", "order": "id.asc", "limit": "2"},
        )
        assert [set(row) for row in listed.json()] == [{"id"}] * 2


async def test_a_row_is_inserted_under_row_security(web: Web) -> None:
    world = web.platform.world
    batch = world.of("planned")[0].id
    async with signed_in(web) as client:
        run = {"workspace_id": world.workspace_id, "batch_id": batch, "status": "pending"}
        made = await client.post("/rest/v1/dispatch_runs", json=run, headers={"prefer": "return=minimal"})
        assert (made.status_code, made.content) == (201, b"")
        again = await client.post("/rest/v1/dispatch_runs", json=run)
        assert (again.status_code, again.json()["code"]) == (409, "23505")
        code = {"target_email": "a@b.example", "otp_code": "x", "workspace_id": world.workspace_id}
        hidden = await client.post("/rest/v1/mod4_otp_codes", json=code)
        assert (hidden.status_code, hidden.json()["code"]) == (403, "42501")
