"""From the telling of a photo to its file on the disk, with every way in which that goes wrong on a real server."""

from __future__ import annotations

import asyncio
import hashlib
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update

from adapters import files
from adapters.mod4.simulator import pictures
from adapters.mod4.simulator.photos import Photos
from app.deliveries.settings import set_settings
from app.proof_files import courier as courier_module
from app.proof_files import fetching
from app.proof_files.errors import ProofFileError, ProofFileNotFound
from app.proof_files.queue import fetch_now
from app.store.store import Store
from app.store.tables import Act, IntegrationLog, Problem, ProofFile
from tests.helpers.disks import files_of_at_most
from tests.helpers.dispatch import a_batch, a_stop
from tests.helpers.fleet import T0_MS, rows_of
from tests.helpers.photo_site import MOD4, PhotoSite, storage

MB = 1_000_000
DAY_S = 86_400


def sha_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


async def test_what_is_told_is_fetched_and_kept_under_its_hash(any_site: PhotoSite, photos: Photos) -> None:
    site = any_site
    site.tell(site.url("a.jpg"), batch="batch-1")
    site.tell(site.url("pen.png"), kind="signature")
    await site.look()
    for name, kind, content in (
        ("a.jpg", "jpeg", pictures.photo("a.jpg")),
        ("pen.png", "png", pictures.signature("pen.png")),
    ):
        row = site.row(name)
        assert (row.state, row.format, row.received, row.total) == ("kept", kind, len(content), len(content))
        assert row.sha256 == sha_of(content)
        assert site.content(row) == content
    assert {row.purpose for row in site.rows()} == {"proof_of_delivery", "signature"}
    await site.look(3)
    assert len(photos.asked) == 2
    assert list(site.files.part_files()) == []


async def test_a_route_tells_of_files_too_and_one_address_is_one_file(site: PhotoSite, photos: Photos) -> None:
    site.depot.arrive(a_batch("batch-1", a_stop(proof_url=site.url("a.jpg"), left_ms=T0_MS)))
    site.tell(site.url("a.jpg"), at_ms=T0_MS + 5_000)
    await site.look(2)
    assert [(row.state, row.captured_ms) for row in site.rows()] == [("kept", T0_MS + 5_000)]
    assert len(photos.asked) == 1


async def test_the_newest_delivery_comes_first(
    site: PhotoSite, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(courier_module, "AT_ONCE", 1)
    site.tell(*(site.url(f"{number}.jpg") for number in range(4)))
    await site.look()
    assert [one.name for one in photos.asked] == ["3.jpg", "2.jpg", "1.jpg", "0.jpg"]


async def test_20_mb_on_a_line_that_is_cut_again_and_again(site: PhotoSite, photos: Photos) -> None:
    content = pictures.photo("large", size=20 * MB)
    photos.put("large.jpg", content)
    photos.faults.cut_after = 700_001
    site.tell(site.url("large.jpg"))
    row = await site.fetched("large.jpg")
    assert (row.state, row.sha256) == ("kept", sha_of(content))
    assert site.content(row) == content
    assert len(photos.asked) == 29
    assert photos.sent("large.jpg") < 1.03 * len(content)  # every byte was asked for about once
    assert all(one.status == 206 for one in photos.asked[1:])


async def test_it_goes_on_by_its_date_where_there_is_no_tag(site: PhotoSite, photos: Photos) -> None:
    photos.faults.no_tag, photos.faults.cut_after, photos.faults.cuts_left = True, 10_000, 2
    site.tell(site.url("a.jpg"))
    row = await site.fetched("a.jpg")
    assert row.sha256 == sha_of(pictures.photo("a.jpg"))
    assert [one.status for one in photos.asked] == [200, 206, 206]


@pytest.mark.parametrize("missing", ["range", "validator"])
async def test_where_it_cannot_go_on_it_begins_again_and_says_so(site: PhotoSite, photos: Photos, missing: str) -> None:
    faults = photos.faults
    faults.no_range = missing == "range"
    faults.no_tag = faults.no_date = missing == "validator"
    faults.cut_after, faults.cuts_left = 20_000, 1
    site.tell(site.url("a.jpg"))
    row = await site.fetched("a.jpg")
    assert row.sha256 == sha_of(pictures.photo("a.jpg"))
    assert [one.status for one in photos.asked] == [200, 200]
    words = {"range": "does not continue files that were cut", "validator": "nothing by which a file that was cut"}
    assert words[missing] in row.reason


@pytest.mark.parametrize("has_tag", [True, False])
async def test_a_file_that_changes_in_the_middle_is_begun_again(site: PhotoSite, photos: Photos, has_tag: bool) -> None:
    photos.put("a.jpg", pictures.photo("before", size=100_000))
    photos.faults.cut_after, photos.faults.cuts_left, photos.faults.no_tag = 60_000, 1, not has_tag
    site.tell(site.url("a.jpg"))
    await site.look()
    assert site.row("a.jpg").word == "waits to go on, 60 of 100 kB"
    after = pictures.photo("after", size=100_000)
    photos.put("a.jpg", after)
    row = await site.fetched("a.jpg")
    assert row.sha256 == sha_of(after)
    assert "changed at its address" in row.reason


async def test_a_file_that_became_shorter_than_its_part_is_begun_again(site: PhotoSite, photos: Photos) -> None:
    photos.put("a.jpg", pictures.photo("before", size=100_000))
    photos.faults.cut_after, photos.faults.cuts_left = 90_000, 1
    site.tell(site.url("a.jpg"))
    await site.look()
    short = pictures.photo("after", size=50_000)
    photos.put("a.jpg", short)
    assert (await site.fetched("a.jpg")).sha256 == sha_of(short)


async def test_without_a_length_it_is_whole_when_the_server_says_so(site: PhotoSite, photos: Photos) -> None:
    photos.faults.no_length, photos.faults.cut_after, photos.faults.cuts_left = True, 10_000, 1
    site.tell(site.url("a.jpg"))
    await site.look()
    row = site.row("a.jpg")
    assert (row.state, row.total, row.word) == ("waiting", None, "waits to go on, 10 kB")
    assert (await site.fetched("a.jpg")).sha256 == sha_of(pictures.photo("a.jpg"))


async def test_a_server_that_falls_silent_is_left_and_gone_back_to(
    site: PhotoSite, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "SILENCE_S", 0.3)
    photos.faults.stall_after = 15_000
    site.tell(site.url("a.jpg"))
    await site.look()
    row = site.row("a.jpg")
    assert (row.state, row.received) == ("waiting", 15_000)
    assert "stopped answering" in row.reason
    photos.faults.stall_after = None
    assert (await site.fetched("a.jpg")).state == "kept"
    assert photos.asked[-1].start == 15_000


@pytest.mark.parametrize(
    ("status", "words"), [(404, "404"), (410, "deleted"), (403, "403"), (401, "401"), (451, "451")]
)
async def test_what_is_refused_for_good_is_set_aside_until_somebody_asks(
    any_site: PhotoSite, photos: Photos, status: int, words: str
) -> None:
    site = any_site
    photos.faults.statuses["a.jpg"] = status
    site.tell(site.url("a.jpg"))
    await site.look(5, pause_s=DAY_S)
    row = site.row("a.jpg")
    assert (row.state, row.since_ms, len(photos.asked)) == ("refused", T0_MS, 1)
    assert words in row.reason
    assert [log.event_type for log in rows_of(site.store, IntegrationLog)] == ["photo_set_aside"]
    photos.faults.statuses.clear()
    site.depot.write(lambda connection: fetch_now(connection, row.id, now_ms=T0_MS))
    assert (await site.fetched("a.jpg")).state == "kept"
    assert rows_of(site.store, Act)[-1].what == "proof_file.fetch"


async def test_delays_grow_and_a_peers_wish_is_kept(site: PhotoSite, photos: Photos) -> None:
    photos.faults.statuses[""] = 503
    site.tell(site.url("a.jpg"))
    waits = []
    for _ in range(5):
        tried = len(photos.asked)
        wait_s = await site.courier.look()
        assert len(photos.asked) - tried == 1
        waits.append(wait_s)
        site.pass_time(wait_s + 0.01)
    assert waits == sorted(waits)
    assert waits[-1] > 8 * waits[0]
    photos.faults.retry_after = "7200"
    await site.courier.look()
    row = site.row("a.jpg")
    assert (row.next_try_ms or 0) - site.clock.now_ms() >= 7_200_000 - 1_000
    assert "pause of 7200 s" in row.reason


async def test_a_host_that_is_away_holds_up_no_other(site: PhotoSite, photos: Photos) -> None:
    site.set_up(photo_hosts=f"mod4.localhost:{site.port}, away.localhost:1")
    site.tell("http://away.localhost:1/x.jpg", "http://away.localhost:1/y.jpg", at_ms=T0_MS + 3_600_000)
    site.tell(site.url("a.jpg"))
    await site.look()
    assert site.row("a.jpg").state == "kept"
    away = [one for one in site.rows() if "away" in one.url]
    assert {one.state for one in away} == {"waiting"}
    assert any("nothing listens there" in one.reason for one in away)


async def test_what_is_no_photo_is_kept_as_evidence(site: PhotoSite, photos: Photos) -> None:
    photos.put("a.jpg", b"<html>Not what you wanted</html>")
    site.tell(site.url("a.jpg"))
    row = await site.fetched("a.jpg")
    assert (row.state, row.format, row.is_picture) == ("kept", "", False)
    assert row.word == "kept here, is no photo"


async def test_what_is_too_large_is_not_fetched_until_more_is_allowed(site: PhotoSite, photos: Photos) -> None:
    photos.put("a.jpg", pictures.photo("a", size=3 * MB))
    photos.put("b.jpg", pictures.photo("b", size=3 * MB))
    site.set_up(photo_mb=2)
    site.tell(site.url("a.jpg"))
    await site.look()
    photos.faults.no_length = True
    site.tell(site.url("b.jpg"))
    await site.look()
    for name in ("a.jpg", "b.jpg"):
        row = site.row(name)
        assert row.state == "blocked"
        assert "more than 2 MB" in row.reason
    site.set_up(photo_mb=4)
    await site.look()
    assert {row.state for row in site.rows()} == {"kept"}


async def test_only_hosts_that_are_named_are_asked(site: PhotoSite, photos: Photos) -> None:
    site.tell(
        f"http://127.0.0.1:{site.port}/a.jpg", f"http://other.localhost:{site.port}/b.jpg",
        f"http://photos.example.org:{site.port}/c.jpg", "https://photos.example.org/d.jpg",
        "https://user:word@mod4.localhost/e.jpg", "ftp://mod4.localhost/f.jpg",
    )  # fmt: skip
    await site.look(2)
    assert photos.asked == []
    states = {row.url[-5:-4]: (row.state, row.reason) for row in site.rows()}
    assert {letter: state for letter, (state, _why) in states.items()} == {
        "a": "blocked", "b": "blocked", "c": "refused", "d": "blocked", "e": "refused", "f": "refused",
    }  # fmt: skip
    assert "The host photos.example.org is not allowed" in states["d"][1]
    assert "Hosts of photos" in states["d"][1]
    assert "not encrypted" in states["c"][1]
    assert "sign-in" in states["e"][1]
    site.set_up(photo_hosts=f"other.localhost:{site.port}")
    await site.look()
    assert [one.name for one in photos.asked] == ["b.jpg"]


async def test_a_redirect_is_followed_to_allowed_hosts_alone(site: PhotoSite, photos: Photos) -> None:
    photos.faults.redirects = {
        "a.jpg": "other.jpg", "b.jpg": f"http://evil.localhost:{site.port}/x.jpg", "c.jpg": "c.jpg",
        "d.jpg": "http://169.254.169.254/latest/meta-data",
    }  # fmt: skip
    site.tell(*(site.url(f"{letter}.jpg") for letter in "abcd"))
    await site.look()
    assert site.row("a.jpg").sha256 == sha_of(pictures.photo("other.jpg"))
    assert site.row("b.jpg").state == "blocked"
    assert "evil.localhost" in site.row("b.jpg").reason
    assert (site.row("c.jpg").state, "without end" in site.row("c.jpg").reason) == ("waiting", True)
    assert site.row("d.jpg").state == "refused"
    assert not any(one.name == "x.jpg" for one in photos.asked)


async def test_the_functions_token_goes_to_their_own_host_alone(site: PhotoSite, photos: Photos) -> None:
    site.vault.set(MOD4, "functions_token", "the-token")
    site.set_up(
        functions_url=f"http://mod4.localhost:{site.port}/functions/v1", photo_hosts=f"other.localhost:{site.port}"
    )
    photos.faults.redirects["b.jpg"] = site.url("c.jpg", "other.localhost")
    site.tell(site.url("a.jpg"), site.url("b.jpg"), site.url("d.jpg", "other.localhost"))
    await site.look()
    assert {row.state for row in site.rows()} == {"kept"}
    told = {one.name: one.authorization for one in photos.asked}
    assert told == {"a.jpg": "Bearer the-token", "b.jpg": "Bearer the-token", "c.jpg": "", "d.jpg": ""}


async def test_a_switch_that_is_off_fetches_what_is_asked_for_alone(any_site: PhotoSite, photos: Photos) -> None:
    site = any_site
    site.set_up(photos=False)
    site.tell(site.url("a.jpg"), site.url("b.jpg"))
    await site.look(2)
    assert photos.asked == []
    assert {(row.state, "switched off" in row.reason) for row in site.rows()} == {("off", True)}
    wanted = site.row("a.jpg").id
    site.depot.write(lambda connection: fetch_now(connection, wanted, now_ms=T0_MS))
    await site.look(2)
    assert {row.url[-5:]: row.state for row in site.rows()} == {"a.jpg": "kept", "b.jpg": "off"}
    site.set_up(photos=True)
    await site.look()
    assert {row.state for row in site.rows()} == {"kept"}


async def test_switching_off_stops_a_large_file_in_its_middle(
    site: PhotoSite, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "NOTE_EVERY_S", 0.05)
    photos.put("a.jpg", pictures.photo("a", size=5 * MB))
    photos.faults.bytes_per_s = 1.5 * MB
    site.tell(site.url("a.jpg"))
    looking = asyncio.get_running_loop().create_task(site.courier.look())
    await site.wait(lambda: any(row.received >= 500_000 for row in site.rows()))
    assert site.row("a.jpg").word.startswith("is being fetched, ")
    site.set_up(photos=False)
    await asyncio.wait_for(looking, 10)
    await site.look()
    row = site.row("a.jpg")
    assert row.state == "off"
    assert 500_000 <= row.received < 5 * MB
    photos.faults.bytes_per_s = None
    site.set_up(photos=True)
    await site.fetched("a.jpg")
    assert photos.sent("a.jpg") < 5.6 * MB


async def test_a_disabled_integration_fetches_nothing(site: PhotoSite, photos: Photos) -> None:
    site.tell(site.url("a.jpg"))
    site.enabled(False)
    await site.look()
    row = site.row("a.jpg")
    assert (row.state, photos.asked) == ("off", [])
    assert "switched off or removed" in row.reason
    site.enabled(True)
    assert (await site.fetched("a.jpg")).state == "kept"


async def test_a_full_disk_is_a_problem_and_nothing_is_lost(site: PhotoSite, photos: Photos) -> None:
    site.tell(site.url("a.jpg"))
    await site.look()
    content = pictures.photo("large", size=4 * MB)
    photos.put("large.jpg", content)
    site.tell(site.url("large.jpg"), at_ms=T0_MS + 60_000)
    with files_of_at_most(3 * MB):
        await site.look(3, pause_s=1)
    row = site.row("large.jpg")
    assert row.state == "waiting"
    assert "This computer's disk does not take it" in row.reason
    (problem,) = rows_of(site.store, Problem)
    assert problem.cleared_at is None
    assert "Make room on the disk" in problem.detail
    assert len([one for one in photos.asked if one.name == "large.jpg"]) == 1
    site.pass_time(600)
    row = await site.fetched("large.jpg")
    assert row.sha256 == sha_of(content)
    assert [one.cleared_at is not None for one in rows_of(site.store, Problem)] == [True]
    assert site.content(site.row("a.jpg")) == pictures.photo("a.jpg")
    assert photos.asked[-1].start > 2 * MB, "what the disk had taken is not fetched twice"


async def test_the_last_room_on_the_disk_is_left_to_the_store(
    sqlite_store: Store, tmp_path: Path, photos: Photos
) -> None:
    async with storage(photos) as port:
        site = PhotoSite(sqlite_store, tmp_path, port, reserve_bytes=1 << 60)
        site.tell(site.url("a.jpg"))
        await site.look()
        assert photos.asked == []
        assert "are free" in site.row("a.jpg").reason
        assert len(rows_of(site.store, Problem)) == 1
        await site.close()


async def test_files_go_at_their_age_and_the_oldest_to_make_room(any_site: PhotoSite, photos: Photos) -> None:
    site = any_site
    for number in range(3):
        photos.put(f"{number}.jpg", pictures.photo(str(number), size=38 * MB))
        site.tell(site.url(f"{number}.jpg"), at_ms=T0_MS + number * 60_000)
    await site.look()
    assert {row.state for row in site.rows()} == {"kept"}
    photos.faults.statuses["old.jpg"] = 503
    site.tell(site.url("old.jpg"), at_ms=T0_MS - DAY_S * 1000)
    await site.look()
    site.depot.write(lambda connection: set_settings(connection, photo_total_mb=100))
    site.pass_time(3_600)
    await site.look()
    oldest = site.row("0.jpg")
    assert (oldest.state, site.files.has(oldest.sha256)) == ("removed", False)
    assert "made room for newer ones" in oldest.reason
    assert (site.row("old.jpg").state, "no room for it" in site.row("old.jpg").reason) == ("removed", True)
    assert [site.row(f"{number}.jpg").state for number in (1, 2)] == ["kept", "kept"]
    for _ in range(400):
        site.pass_time(DAY_S)
        await site.courier._tidy(site.files)
    site.pass_time(2 * 3_600)
    await site.look()
    assert {row.state for row in site.rows()} == {"removed"}
    assert list(site.files.kept_files()) == []
    assert len([one for one in photos.asked if one.name != "old.jpg"]) == 3


async def test_what_is_missing_in_the_folder_is_fetched_again(site: PhotoSite, photos: Photos) -> None:
    site.tell(site.url("a.jpg"), site.url("b.jpg"))
    await site.look()
    for name in ("a.jpg", "b.jpg"):
        site.files.drop(site.row(name).sha256)
    stray = site.folder / "kept" / "ab" / ("ab" * 32)
    stray.parent.mkdir(exist_ok=True)
    stray.write_bytes(b"nobody's")
    site.pass_time(3_600)
    await site.look(2)
    assert {(row.state, site.files.has(row.sha256)) for row in site.rows()} == {("kept", True)}
    assert len(photos.asked) == 4
    assert not stray.exists()


async def test_two_addresses_of_one_content_share_its_file(site: PhotoSite, photos: Photos) -> None:
    content = pictures.photo("same")
    photos.put("a.jpg", content)
    photos.put("b.jpg", content)
    site.tell(site.url("a.jpg"), site.url("b.jpg"))
    await site.look()
    assert len(list(site.files.kept_files())) == 1
    one = site.row("a.jpg")

    def forget(connection: Any) -> None:
        connection.execute(update(ProofFile).where(ProofFile.id == one.id).values(state="removed"))

    site.depot.write(forget)
    site.pass_time(3_600)
    await site.look()
    assert site.content(site.row("b.jpg")) == content


async def test_what_cannot_be_asked_for(site: PhotoSite) -> None:
    with pytest.raises(ProofFileNotFound):
        site.depot.write(lambda connection: fetch_now(connection, "none", now_ms=T0_MS))
    site.tell(site.url("a.jpg"))
    await site.look()
    kept = site.row("a.jpg").id
    with pytest.raises(ProofFileError, match="kept here"):
        site.depot.write(lambda connection: fetch_now(connection, kept, now_ms=T0_MS))


async def test_an_engine_that_ends_keeps_what_came(site: PhotoSite, photos: Photos) -> None:
    content = pictures.photo("a", size=3 * MB)
    photos.put("a.jpg", content)
    photos.faults.bytes_per_s = 1 * MB
    site.tell(site.url("a.jpg"))
    watching = asyncio.get_running_loop().create_task(site.courier.watch())
    await site.wait(lambda: photos.sent("a.jpg") >= 900_000)
    watching.cancel()
    await asyncio.wait({watching}, timeout=5)
    assert await site.scribe.flush(5)
    row = site.row("a.jpg")
    assert row.state == "waiting"
    assert row.received > 600_000
    photos.faults.bytes_per_s = None
    row = await site.fetched("a.jpg")
    assert row.sha256 == sha_of(content)
    assert photos.sent("a.jpg") < 3.4 * MB


async def test_a_defect_is_told_and_holds_no_file_for_ever(
    site: PhotoSite, photos: Photos, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_arguments: object) -> str:
        raise RuntimeError("a defect")

    monkeypatch.setattr(courier_module, "fetch_file", broken)
    site.tell(site.url("a.jpg"))
    with pytest.raises(ExceptionGroup):
        await site.courier.look()
    assert await site.scribe.flush(5)
    row = site.row("a.jpg")
    assert (row.state, row.reason) == ("waiting", courier_module.DEFECT)
    monkeypatch.undo()
    assert (await site.fetched("a.jpg", pause_s=3_700)).state == "kept"


ROOT = Path(__file__).parents[4]
CHILD = """
import asyncio, sys
from pathlib import Path
from app.proof_files import fetching
from app.store.store import Store
from tests.helpers import dispatch, photo_site
fetching.NOTE_EVERY_S = 0.2
folder, port = Path(sys.argv[1]), int(sys.argv[2])
store = Store.open(f"sqlite:///{folder / 'store.db'}")
photo_site.Depot = lambda store: dispatch.Depot.__new__(dispatch.Depot)
photo_site.PhotoSite.set_up = lambda self, **values: None
dispatch.Depot.catalogue = dispatch.catalogue()


async def main():
    site = photo_site.PhotoSite(store, folder, port)
    await site.courier.close_left_over()
    while True:
        await site.courier.look()
        site.pass_time(2)


asyncio.run(main())
"""


async def test_kill_9_in_the_middle_and_it_goes_on(sqlite_store: Store, tmp_path: Path) -> None:
    """Three engines are killed while bytes come; the fourth brings the rest, and hardly a byte comes twice."""
    photos = Photos()
    content = pictures.photo("large", size=12 * MB)
    photos.put("large.jpg", content)
    photos.faults.bytes_per_s = 6 * MB
    folder = Path(str(sqlite_store.url.database)).parent
    async with storage(photos) as port:
        site = PhotoSite(sqlite_store, folder, port)
        site.tell(site.url("large.jpg"))
        command = [sys.executable, "-c", CHILD, str(folder), str(port)]
        for killed in range(1, 4):
            child = await asyncio.to_thread(subprocess.Popen, command, cwd=ROOT)
            wanted = killed * 3 * MB
            await site.wait(lambda: any(row.received >= wanted for row in site.rows()), 60)  # noqa: B023 - at once
            os.kill(child.pid, signal.SIGKILL)
            await asyncio.to_thread(child.wait)
            assert site.row("large.jpg").state == "fetching"
        await site.courier.close_left_over()
        row = await site.fetched("large.jpg")
        assert row.sha256 == sha_of(content)
        assert site.content(row) == content
        assert photos.sent("large.jpg") < len(content) + 3 * 0.5 * photos.faults.bytes_per_s
        await site.close()
