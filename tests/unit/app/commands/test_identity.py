"""``identity`` on the command line: the shapes that scripts rely on."""

from __future__ import annotations

from contextlib import closing

import pytest

from app.paths import Paths
from app.store.store import Store
from tests.helpers.command_line import CommandLine, assert_refused
from tests.helpers.identity import ids
from tests.helpers.identity_site import plant_two_systems


@pytest.fixture
def site(cli: CommandLine) -> CommandLine:
    with closing(Store.open(Paths(cli.data_dir).store_url)) as store:
        plant_two_systems(store)
    return cli


@pytest.fixture
def items(site: CommandLine) -> dict[str, str]:
    with closing(Store.open(Paths(site.data_dir).store_url)) as store:
        return ids(store, "item")


def test_suggestions_are_listed_accepted_and_undone(site: CommandLine) -> None:
    assert site("identity", "suggest", "--json").json == []
    rows = site("identity", "suggest", "--look", "--json").json
    assert len(rows) == 12
    assert set(rows[0]) >= {"kind", "score", "strength", "how", "one", "one_id", "other", "other_id", "reasons"}
    assert [row["score"] for row in rows] == sorted((row["score"] for row in rows), reverse=True)
    assert "The codes" in site("identity", "suggest").out
    done = site("identity", "suggest", "--at-least", "85", "--accept", "--yes", "--json").json
    assert done["joined"] == sum(row["score"] >= 85 for row in rows)
    joined = site("identity", "list", "--json").json
    assert len(joined) == done["joined"]
    assert {record["integration"] for record in joined[0]["records"]} == {"FCT mSupply", "NHLMIS"}
    assert site("identity", "undo", done["batch"], "--json").json["undone"] == done["joined"]
    assert site("identity", "list", "--json").json == []
    acts = site("identity", "list", "--acts", "--json").json
    assert {act["act"] for act in acts} == {"merge", "undo"}
    assert len(acts) == 2 * done["joined"]


def test_merging_and_splitting_by_hand(site: CommandLine, items: dict[str, str]) -> None:
    both = (items["it-MMS001"], items["only-2"])
    made = site("identity", "merge", *both, "--name", "MMS or RUTF", "--json").json
    assert (made["name"], len(made["records"])) == ("MMS or RUTF", 2)
    assert [row["id"] for row in site("identity", "list", "--text", "rutf", "--json").json] == [made["id"]]
    parted = site("identity", "split", both[1], "--json").json
    assert parted["identity"] is None
    assert site("identity", "list", "--json").json == []
    assert site("identity", "undo", parted["act"], "--json").json == {"undone": 1, "of": parted["act"]}
    assert "MMS or RUTF" in site("identity", "list").out


def test_unmatched_and_counts(site: CommandLine) -> None:
    site("identity", "suggest", "--look")
    rows = site("identity", "list", "--unmatched", "--json").json
    assert {row["name"] for row in rows} >= {"Quinine sulphate 300 mg", "Surgical blade size 22"}
    counts = site("identity", "list", "--counts", "--json").json
    of_items = {row["integration"]: row for row in counts if row["kind"] == "item"}
    assert of_items["NHLMIS"]["unmatched"] == sum(row["integration"] == "NHLMIS" for row in rows)
    assert of_items["FCT mSupply"]["records"] == 14


def test_rules_and_declining(site: CommandLine, items: dict[str, str]) -> None:
    assert site("identity", "rules", "--json").json == {"joined": [], "within_m": 300.0}
    assert site("identity", "rules", "--join", "item", "--within", "100", "--json").json["joined"] == ["item"]
    assert site("identity", "rules", "--join", "none", "--json").json == {"joined": [], "within_m": 100.0}
    assert site("identity", "decline", items["it-AMX500"], items["orderable-2"], "--json").json["declined"] == 1
    assert len(site("identity", "suggest", "--look", "--json").json) == 11


def test_refusals_are_sentences(site: CommandLine, items: dict[str, str]) -> None:
    assert_refused(site("identity", "merge", items["it-AMX500"]), "at least two")
    assert_refused(site("identity", "merge", items["it-AMX500"], "nobody"), "no item with the id nobody")
    assert_refused(site("identity", "split", items["it-AMX500"]), "joined with nothing")
    assert_refused(site("identity", "undo", "nothing"), "no act nothing")
    assert_refused(site("identity", "suggest", "--accept", "--yes"), "Nothing of this is suggested")
    assert site("identity", "suggest", "--accept", "--decline").status == 2
