"""Whatever is merged, split and undone: a record has one identity at most, and undoing brings back what was."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from adapters.supply import Facility
from app.identity.acts import Pair, accept, decline, merge, split, undo
from app.identity.errors import IdentityError, NotFound
from app.identity.listing import find_identity, list_acts, list_identities
from app.identity.lookup import identity_of, records_of, same_as, same_places, with_identity
from app.security.audit import verify_acts
from app.store.store import Store
from app.store.tables import Act, IdentityLink, IdentityRow, ItemRow
from app.supply.filters import Place
from tests.helpers.identity import NOW, a_few_items, ask, do, forget, ids, plant, state_of


@pytest.fixture
def items(store: Store) -> dict[str, str]:
    plant(store, a_few_items())
    return ids(store, "item")


def check_rules(store: Store) -> None:
    """One identity per record is the table's key; here: those that live have two records and more, others none."""
    with store.read() as connection:
        live = set(connection.execute(select(IdentityRow.id).where(IdentityRow.removed_at.is_(None))).scalars())
        owners = list(connection.execute(select(IdentityLink.identity_id)).scalars())
    assert set(owners) == live
    assert all(owners.count(identity) > 1 for identity in live)


def test_merging_split_and_undo(store: Store, items: dict[str, str]) -> None:
    x0, y0, z0 = items["x0"], items["y0"], items["z0"]
    start = state_of(store)
    first = do(store, merge, "item", [x0, y0], now=NOW, who="ada")
    assert first.identity_id
    assert ask(store, identity_of, "item", [x0, y0, z0]) == {x0: first.identity_id, y0: first.identity_id, z0: z0}
    assert ask(store, same_as, "item", y0) == sorted([x0, y0])
    second = do(store, merge, "item", [first.identity_id, z0], now=NOW, name="The alpha")
    assert second.identity_id == first.identity_id
    (listed,) = ask(store, list_identities, "item")
    assert (listed.name, listed.sources) == ("Alpha x", "x, y, z")
    assert {member.known.id for member in listed.members} == {x0, y0, z0}
    parted = do(store, split, "item", [z0], now=NOW)
    assert ask(store, same_as, "item", z0) == [z0]
    check_rules(store)
    do(store, undo, parted.act_id, now=NOW)
    assert ask(store, records_of, first.identity_id) == sorted([x0, y0, z0])
    do(store, undo, second.act_id, now=NOW)
    do(store, undo, first.act_id, now=NOW)
    assert state_of(store) == start
    with store.read() as connection:
        assert verify_acts(connection).ok
        told = list(connection.execute(select(Act.what).order_by(Act.id)).scalars())
    assert told == ["identity.merge", "identity.merge", "identity.split", *["identity.undo"] * 3]


def test_what_stands_in_the_way_of_undoing_is_named(store: Store, items: dict[str, str]) -> None:
    x0, y0, z0 = items["x0"], items["y0"], items["z0"]
    first = do(store, merge, "item", [x0, y0], now=NOW)
    later = do(store, merge, "item", [x0, z0], now=NOW, who="bola")
    before = state_of(store)
    with pytest.raises(IdentityError, match=rf"a later act stands on it .*by bola.*Undo {later.act_id} first"):
        do(store, undo, first.act_id, now=NOW)
    assert state_of(store) == before
    do(store, undo, later.act_id, now=NOW)
    do(store, undo, first.act_id, now=NOW)
    with pytest.raises(IdentityError, match="was undone already"):
        do(store, undo, first.act_id, now=NOW)


def test_an_act_is_undone_much_later(store: Store, items: dict[str, str]) -> None:
    first = do(store, merge, "item", [items["x0"], items["y0"]], now=NOW)
    for n in (1, 2, 3):
        do(store, merge, "item", [items[f"x{n}"], items[f"y{n}"]], now=NOW)
    do(store, merge, "item", [items["x1"], items["z1"]], now=NOW)
    do(store, undo, first.act_id, now=NOW)
    assert ask(store, same_as, "item", items["x0"]) == [items["x0"]]
    assert len(ask(store, list_identities, "item")) == 3


def test_undoing_is_undone(store: Store, items: dict[str, str]) -> None:
    first = do(store, merge, "item", [items["x0"], items["y0"]], now=NOW)
    joined = state_of(store)
    do(store, undo, first.act_id, now=NOW)
    (undoing, _merge) = ask(store, list_acts)
    do(store, undo, undoing.id, now=NOW)
    assert state_of(store) == joined
    assert [act.is_undone for act in ask(store, list_acts)] == [False, True, False]
    do(store, undo, first.act_id, now=NOW)
    assert ask(store, list_identities, "item") == []


def test_an_older_id_leads_to_what_took_it_over(store: Store, items: dict[str, str]) -> None:
    one = do(store, merge, "item", [items["x0"], items["y0"]], now=NOW).identity_id
    other = do(store, merge, "item", [items["x1"], items["y1"]], now=NOW).identity_id
    assert one
    assert other
    kept = do(store, merge, "item", [other, one], now=NOW).identity_id
    assert kept == one
    assert ask(store, records_of, other) == ask(store, records_of, one)
    found = ask(store, find_identity, other)
    assert found is not None
    assert found.id == one
    assert ask(store, records_of, "a record alone") == ["a record alone"]


def test_a_split_is_remembered_and_a_merge_overrules_it(store: Store, items: dict[str, str]) -> None:
    x0, y0 = items["x0"], items["y0"]
    do(store, merge, "item", [x0, y0], now=NOW)
    do(store, split, "item", [y0], now=NOW, who="ada")
    (declined,) = state_of(store)["identity_declines"]
    assert declined[:2] == tuple(sorted((x0, y0)))
    check_rules(store)
    again = do(store, merge, "item", [x0, y0], now=NOW)
    assert state_of(store)["identity_declines"] == set()
    do(store, undo, again.act_id, now=NOW)
    assert state_of(store)["identity_declines"] == {declined}


def test_many_are_accepted_and_undone_as_one(store: Store, items: dict[str, str]) -> None:
    start = state_of(store)
    pairs = [Pair(items[f"x{n}"], items[f"y{n}"], "name", "The name is the same.") for n in range(4)]
    pairs.append(Pair(items["z0"], items["y0"], "code", "The code is the same."))
    pairs.append(Pair(items["x1"], items["y0"]))  # two of one system would meet: passed over
    pairs.append(Pair(items["x1"], "unknown"))
    batch, count = do(store, accept, "item", pairs, now=NOW)
    assert count == 5
    assert do(store, accept, "item", [Pair(items["z3"], items["x3"])], now=NOW, batch_id=batch) == (batch, 1)
    assert len(ask(store, same_as, "item", items["z0"])) == 3
    with store.read() as connection:
        told, _later = connection.execute(select(Act.__table__)).all()
    assert (told.what, told.subject, told.after["joined"]) == ("identity.accept", "5 × item", 5)
    check_rules(store)
    assert do(store, undo, batch, now=NOW) == 6
    assert state_of(store) == start


def test_refusals_are_sentences_and_change_nothing(store: Store, items: dict[str, str]) -> None:
    x0, y0, z0 = items["x0"], items["y0"], items["z0"]
    do(store, merge, "item", [x0, y0], now=NOW)
    before = state_of(store)
    for act, arguments, why in (
        (merge, ("item", [x0]), "at least two"),
        (merge, ("item", [x0, x0]), "at least two"),
        (merge, ("item", [x0, y0]), "are one already"),
        (merge, ("item", [x0, "nobody"]), "no item with the id nobody"),
        (merge, ("colour", [x0, y0]), "no kind “colour”"),
        (split, ("item", [z0]), "joined with nothing"),
        (split, ("item", [x0, y0]), "leave at least one behind"),
        (decline, ("item", [(x0, y0)]), "Split them instead"),
        (decline, ("item", [(x0, x0)]), "the same as itself"),
        (undo, ("nothing",), "no act nothing"),
    ):
        with pytest.raises(IdentityError, match=why):
            do(store, act, *arguments, now=NOW)
    assert state_of(store) == before
    with pytest.raises(NotFound):
        do(store, merge, "facility", [x0, z0], now=NOW)


def test_joins_lead_from_stock_to_the_other_systems_item(store: Store, items: dict[str, str]) -> None:
    do(store, merge, "item", [items["x0"], items["y0"]], now=NOW)
    assert ask(store, same_places, "item", Place("x", "x0")) == [Place("x", "x0"), Place("y", "y0")]
    assert ask(store, same_places, "item", Place("z", "z0")) == [Place("z", "z0")]
    assert ask(store, same_places, "item", Place("z", "nothing")) == [Place("z", "nothing")]
    query, identity = with_identity(select(ItemRow.peer_id), "item", ItemRow.id)
    with store.read() as connection:
        rows: dict[str, str] = dict(connection.execute(query.add_columns(identity)).all())
    assert rows["x0"] == rows["y0"]
    assert rows["z0"] == items["z0"]
    assert len(set(rows.values())) == len(rows) - 1


def test_kinds_are_kept_apart(store: Store, items: dict[str, str]) -> None:
    plant(store, {"q": [Facility("q1", "1", "Karu"), Facility("q2", "2", "Karu")]})
    houses = ids(store, "facility")
    done = do(store, merge, "facility", [houses["q1"], houses["q2"]], now=NOW)
    with pytest.raises(IdentityError, match="of the kind facility, not item"):
        do(store, merge, "item", [done.identity_id or "", items["x0"]], now=NOW)
    assert ask(store, identity_of, "item", [houses["q1"]]) == {houses["q1"]: houses["q1"]}


NO_SHRINKING = (Phase.explicit, Phase.reuse, Phase.generate)
"""Each step is a commit: making an example smaller would take minutes."""
_step = st.one_of(
    st.tuples(st.just("merge"), st.lists(st.integers(0, 11), min_size=2, max_size=4)),
    st.tuples(st.just("split"), st.lists(st.integers(0, 11), min_size=1, max_size=2)),
    st.tuples(st.just("decline"), st.lists(st.integers(0, 11), min_size=2, max_size=2)),
    st.tuples(st.just("accept"), st.lists(st.integers(0, 11), min_size=2, max_size=6)),
    st.tuples(st.just("undo"), st.integers(0, 30)),
)


@settings(
    max_examples=40, deadline=None, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(_step, max_size=14))
def test_any_sequence_keeps_the_rules_and_is_undone_step_by_step(
    store: Store, items: dict[str, str], steps: list[tuple[str, object]]
) -> None:
    store.write(forget).result()
    records = sorted(items.values())
    history: list[tuple[dict[str, set[tuple[object, ...]]], list[str]]] = []
    for what, with_what in steps:
        before, known = state_of(store), {act.id for act in ask(store, list_acts)}
        changed = False
        with suppress(IdentityError):
            if what == "undo":
                acts = ask(store, list_acts)
                if acts:
                    do(store, undo, acts[int(str(with_what)) % len(acts)].id, now=NOW)
                    changed = True
            else:
                assert isinstance(with_what, list)
                chosen = [records[n] for n in with_what]
                if what == "accept":
                    pairs = [Pair(*sorted(two)) for two in zip(chosen[::2], chosen[1::2], strict=False)]
                    changed = do(store, accept, "item", pairs, now=NOW)[1] > 0
                else:
                    act: Any = {"merge": merge, "split": split}.get(what)
                    if act is None:
                        do(store, decline, "item", [(chosen[0], chosen[1])], now=NOW)
                    else:
                        do(store, act, "item", chosen, now=NOW)
                    changed = True
        check_rules(store)
        if not changed:
            assert state_of(store) == before
        history.append((before, [act.id for act in ask(store, list_acts) if act.id not in known]))
    # Walked backwards, every act can be undone, undoings too, and each time the very rows before it are there again.
    for before, acts_of_step in reversed(history):
        for act_id in acts_of_step:
            do(store, undo, act_id, now=NOW)
            check_rules(store)
        assert state_of(store) == before
    assert all(rows == set() for rows in state_of(store).values())


@settings(
    max_examples=40, deadline=None, phases=NO_SHRINKING, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_undo_restores_exactly(store: Store, items: dict[str, str], data: st.DataObject) -> None:
    """After any history, the act just done is undone to the very rows."""
    store.write(forget).result()
    records = sorted(items.values())
    for _ in range(data.draw(st.integers(1, 8))):
        before = state_of(store)
        chosen = data.draw(st.lists(st.sampled_from(records), min_size=2, max_size=4, unique=True))
        with suppress(IdentityError):
            act: Any = data.draw(st.sampled_from([merge, split]))
            act_id: str = do(store, act, "item", chosen[: 4 if act is merge else 1], now=NOW).act_id
            after = state_of(store)
            do(store, undo, act_id, now=NOW)
            assert state_of(store) == before
            newest = ask(store, list_acts)[0]
            do(store, undo, newest.id, now=NOW)
            assert state_of(store) == after


def test_records_that_are_gone_stay_in_their_identity(store: Store, items: dict[str, str]) -> None:
    done = do(store, merge, "item", [items["x0"], items["y0"]], now=NOW)
    store.write(lambda c: c.execute(update(ItemRow).where(ItemRow.id == items["y0"]).values(gone_at=NOW))).result()
    found = ask(store, find_identity, done.identity_id or "")
    assert found is not None
    assert [member.known.is_current for member in found.members].count(False) == 1
    do(store, split, "item", [items["y0"]], now=NOW)
