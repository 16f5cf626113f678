"""The identity map on the Supply page, used as a person does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from functools import partial
from typing import Any, TypeVar

import pytest_asyncio
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QDialog, QWidget

from app.clock import utc_now
from app.identity.acts import merge
from app.identity.kinds import KINDS
from app.identity.listing import list_identities
from app.identity.look import look
from app.identity.rules import load_rules
from app.store.store import Store
from dialogs.doors import dialogs
from dialogs.identity_partner import PartnerDialog
from tests.helpers.identity import ask
from tests.helpers.identity_site import plant_two_systems
from tests.helpers.qt import Console, open_dialog, until
from tests.helpers.supply_page import SupplyDesk
from widgets.ask import _Question
from widgets.identity.panel import HISTORY, JOINED, SUGGESTIONS, UNMATCHED, IdentityPanel

D = TypeVar("D", bound=QDialog)


def plant_and_look(store: Store) -> None:
    plant_two_systems(store)
    for kind in KINDS:
        look(store, kind, utc_now())


class Desk:
    def __init__(self, console: Console) -> None:
        self.console = console
        self.page = SupplyDesk(console, None).page
        self.panel: IdentityPanel = self.page.matching

    async def show(self, kind: str, tab: str) -> None:
        self.panel.choose_kind(kind)
        self.panel.tabs.choose(tab)
        await self.settle()

    async def settle(self) -> None:
        """Until what was asked for is shown."""
        await asyncio.sleep(0)
        await self.panel.refresh()
        await until(lambda: self.panel.is_settled)

    def rows(self) -> list[Any]:
        return list(self.panel.table().model.rows)

    def pick(self, *places: int) -> None:
        view = self.panel.table().view
        for number, place in enumerate(places):
            at = view.visualRect(view.model().index(place, 0)).center()
            extend = Qt.KeyboardModifier.ControlModifier if number else Qt.KeyboardModifier.NoModifier
            QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, extend, at)

    def joined(self, kind: str = "item") -> list[set[str]]:
        found = ask(self.console.store, list_identities, kind)
        return [{member.known.label for member in one.members} for one in found]


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[Desk]:
    console.context.doors.dialogs = dialogs()
    await asyncio.to_thread(plant_and_look, console.store)
    desk = Desk(console)
    desk.page.resize(1_280, 800)
    desk.page.show()
    await until(lambda: desk.page.is_ready)
    QTest.mouseClick(desk.page.tabs.button("matching"), Qt.MouseButton.LeftButton)
    await desk.settle()
    yield desk
    assert console.failures == []
    desk.page.hide()
    desk.page.close_page()


async def in_front(kind: type[D]) -> D:
    """The dialog that has just been opened."""
    await until(lambda: isinstance(open_dialog(), kind))
    dialog = open_dialog()
    assert isinstance(dialog, kind)
    return dialog


def click(button: QWidget) -> None:
    assert button.isEnabled()
    assert button.isVisible()
    QTest.mouseClick(button, Qt.MouseButton.LeftButton)


async def test_a_pair_is_looked_at_and_accepted(desk: Desk) -> None:
    await desk.show("item", SUGGESTIONS)
    before = desk.rows()
    card = desk.panel.suggestions.card
    assert card.row == before[0]
    assert not desk.page.filters.isVisible()
    desk.pick(2)
    chosen = before[2]
    assert card.row == chosen
    click(card.yes)
    await until(lambda: desk.joined() == [{chosen.low.label, chosen.high.label}])
    await until(lambda: chosen.key not in {row.key for row in desk.rows()})
    assert card.row == before[3]  # the next one, where the decided one stood
    assert desk.console.notes[-1] == ("ok", "1 pair is joined.")
    assert desk.panel.tabs.button(JOINED).text() == "Joined  1"


async def test_a_pair_is_declined_and_that_is_undone(desk: Desk) -> None:
    await desk.show("item", SUGGESTIONS)
    chosen = desk.rows()[0]
    click(desk.panel.suggestions.card.no)
    await until(lambda: chosen.key not in {row.key for row in desk.rows()})
    assert desk.joined() == []
    await desk.show("item", HISTORY)
    assert not desk.panel.history.undo.isEnabled()
    desk.pick(0)
    click(desk.panel.history.undo)
    await until(lambda: [row.act for row in desk.rows()] == ["undo", "decline"])
    assert [row.is_undone for row in desk.rows()] == [False, True]


async def test_all_that_is_shown_is_counted_first_joined_and_undone_together(desk: Desk) -> None:
    await desk.show("item", SUGGESTIONS)
    desk.panel.suggestions.which.choose("sure")
    await desk.settle()
    count = len(desk.rows())
    assert 1 < count < 12
    assert desk.panel.suggestions.all.text() == f"Join the {count} that are shown…"
    click(desk.panel.suggestions.all)
    question = await in_front(_Question)
    assert f"Join {count} pairs?" in question.labels()
    question.reject()
    await desk.settle()
    assert desk.joined() == []
    click(desk.panel.suggestions.all)
    question = await in_front(_Question)
    question.act.click()
    await until(lambda: len(desk.joined()) == count)
    await desk.show("item", HISTORY)
    desk.pick(0)
    assert desk.panel.history.undo_all.text() == f"Undo all {count} done together"
    click(desk.panel.history.undo_all)
    await until(lambda: desk.joined() == [])


async def test_a_partner_is_found_by_hand_and_split_off_again(desk: Desk) -> None:
    await desk.show("item", UNMATCHED)
    names = [row.label for row in desk.rows()]
    assert "Quinine sulphate 300 mg" in names
    desk.pick(names.index("Quinine sulphate 300 mg"))
    click(desk.panel.unmatched.partner)
    dialog = await in_front(PartnerDialog)
    dialog.search.setText("blade")
    await until(lambda: [row.label for row in dialog.table.model.rows] == ["Surgical blade size 22"])
    assert not dialog.join.isEnabled()
    dialog.table.view.selectRow(0)
    click(dialog.join)
    await until(lambda: desk.joined() == [{"Quinine sulphate 300 mg", "Surgical blade size 22"}])
    await desk.show("item", JOINED)
    desk.pick(0)
    panel = desk.panel.joined.panel
    assert panel.isVisible()
    click(next(iter(panel.splits.values())))
    await until(lambda: desk.joined() == [])
    await until(lambda: not panel.isVisible())


async def test_several_are_joined_as_they_are(desk: Desk) -> None:
    await desk.show("item", UNMATCHED)
    desk.pick(0, 1)
    assert not desk.panel.unmatched.partner.isVisible()
    click(desk.panel.unmatched.same)
    await until(lambda: len(desk.joined()) == 1)


async def test_a_click_on_a_system_narrows_and_the_search_too(desk: Desk) -> None:
    await desk.show("item", UNMATCHED)
    card = desk.panel.unmatched.counts["NHLMIS"]
    QTest.mouseClick(card, Qt.MouseButton.LeftButton)
    await until(lambda: {row.source for row in desk.rows()} == {"NHLMIS"})
    assert card.value.text() == str(len(desk.rows()))
    QTest.keyClicks(desk.panel.search, "blade")
    await until(lambda: [row.label for row in desk.rows()] == ["Surgical blade size 22"])


async def test_what_is_joined_by_itself_is_asked_for_and_shown_as_it_is(desk: Desk) -> None:
    await desk.show("item", SUGGESTIONS)
    box = desk.panel.suggestions.rule
    box.click()
    question = await in_front(_Question)
    question.reject()
    await until(lambda: not box.isChecked())
    box.click()
    (await in_front(_Question)).act.click()
    await until(lambda: ask(desk.console.store, load_rules).joined == {"item"})
    await until(box.isChecked)


async def test_a_refusal_is_told(desk: Desk) -> None:
    await desk.show("item", SUGGESTIONS)
    row = desk.rows()[0]
    await desk.panel.acts.accept([row])
    assert not await desk.panel.acts.decline([row])
    level, text = desk.console.notes[-1]
    assert level == "error"
    assert "Split them instead" in text


async def test_every_kind_and_tab_can_be_shown_and_exported(desk: Desk) -> None:
    for kind in KINDS:
        for tab in (SUGGESTIONS, UNMATCHED, JOINED, HISTORY):
            await desk.show(kind, tab)
            assert desk.page.table() is desk.panel.table()
            assert len(desk.page.table().sheet().rows) == len(desk.rows())
    await desk.show("vehicle", SUGGESTIONS)
    assert len(desk.rows()) == 1
    desk.page.tabs.choose("items")
    assert desk.page.filters.isVisible()
    assert desk.page.table() is not desk.panel.table()


async def test_what_moves_in_the_store_is_followed(desk: Desk) -> None:
    await desk.show("item", SUGGESTIONS)
    row = desk.rows()[0]
    job = partial(merge, kind="item", ids=[row.low.id, row.high.id], now=utc_now())
    await asyncio.to_thread(lambda: desk.console.store.write(job).result())
    await until(lambda: row.key not in {one.key for one in desk.rows()})
