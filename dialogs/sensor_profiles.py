"""Profiles of sensors: kept in the store for every workplace, or in a file; chosen to be compared with a sensor."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from PySide6.QtWidgets import QDialog, QLineEdit, QVBoxLayout, QWidget

from app.errors import OperatorError
from app.fuel.profiles import Profile, load_profile, save_profile
from app.fuel.saved_profiles import SavedProfile, list_profiles, remove_profile
from app.fuel.saved_profiles import keep_profile as keep
from dialogs.fuel_words import above, buttons_row, problem_label, show_problem
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.data_table import DataTable, in_card
from widgets.formats import NOTHING
from widgets.primitives import exact_height, outline_button, primary_button, text_label
from widgets.rows_model import Column, RowsModel

WIDTH_PX, HEIGHT_PX, KEEP_PX = 760, 460, 520
FILES = ("Profile (*.json)",)


async def keep_profile(context: ConsoleContext, parent: QWidget, profile: Profile) -> bool:
    """Ask for a name and keep the profile in the store, or save it as a file; False when cancelled."""
    known = await context.bridge.read(partial(list_profiles, dialect=profile.dialect))
    return await ask.run(KeepDialog(context, parent, profile, known))


async def choose_profile(context: ConsoleContext, parent: QWidget, dialect: str) -> Profile | None:
    """Have a profile chosen out of those kept for a kind of sensor, or a file; None when cancelled."""
    dialog = ProfilesDialog(context, parent, dialect)
    await dialog.reload()
    return dialog.profile if await ask.run(dialog) else None


class _ProfileDialog(QDialog):
    """What both have: a problem that is shown, and acts that may be refused."""

    def __init__(self, context: ConsoleContext, parent: QWidget, title: str, sense: str) -> None:
        super().__init__(parent)
        self._context = context
        self.problem = problem_label()
        self.cancel = outline_button(context.theme, tr("Cancel"))
        self.setWindowTitle(title)
        self.column = QVBoxLayout(self)
        margin = ask.DIALOG_MARGIN
        self.column.setContentsMargins(margin, margin, margin, margin)
        self.column.setSpacing(12)
        self.column.addWidget(text_label(title, "heading"))
        self.column.addWidget(exact_height(text_label(sense, "muted", wrap=True)))
        self.cancel.clicked.connect(self.reject)

    def done(self, result: int) -> None:
        self._context.tasks.cancel_owner(self)
        super().done(result)

    def start(self, act: Callable[[], Awaitable[Any]], *_checked: object) -> None:
        show_problem(self.problem, "")
        self._context.tasks.start(self._guarded(act), name="profiles", owner=self)

    async def _guarded(self, act: Callable[[], Awaitable[Any]]) -> None:
        try:
            await act()
        except OperatorError as err:
            show_problem(self.problem, err.why)


class KeepDialog(_ProfileDialog):
    """Name and note of a profile."""

    def __init__(
        self, context: ConsoleContext, parent: QWidget, profile: Profile, known: Sequence[SavedProfile]
    ) -> None:
        sense = tr("The settings of this sensor, to compare others with and to write to them. What tells one sensor "
                   "from another, such as its address, is never written to the next.")  # fmt: skip
        super().__init__(context, parent, tr("Save the profile"), sense)
        self._profile = profile
        self._known = {one.name.casefold(): one for one in known}
        self.setFixedWidth(KEEP_PX)
        self.name = QLineEdit(profile.model)
        self.name.setMaxLength(200)
        self.note = QLineEdit()
        self.note.setMaxLength(1_000)
        self.note.setPlaceholderText(tr("for which vehicles, who made it, why"))
        self.meaning = text_label("", "small", wrap=True)
        self.to_file = outline_button(context.theme, tr("To a file…"), "download")
        self.save = primary_button(context.theme, tr("Save"), "save")
        self.column.addLayout(above(tr("Name"), self.name))
        self.column.addWidget(self.meaning)
        self.column.addLayout(above(tr("Note"), self.note))
        self.column.addWidget(self.problem)
        self.column.addStretch(1)
        self.column.addLayout(buttons_row(self.to_file, right=(self.cancel, self.save)))
        self.name.textChanged.connect(self._on_name)
        self.save.clicked.connect(partial(self.start, self._save))
        self.to_file.clicked.connect(partial(self.start, self._save_file))
        self.save.setDefault(True)
        self.name.setFocus()
        self.name.selectAll()
        self._on_name()

    def _on_name(self) -> None:
        name = " ".join(self.name.text().split())
        self.save.setEnabled(bool(name))
        same = self._known.get(name.casefold())
        said = tr("It is kept here, and every workplace with this store has it.")
        if same is not None and same.name == name:
            said = tr(
                "It follows the profile of this name of {time}, which leaves the list.",
                time=self._context.formats.clock(same.created_at),
            )
        self.meaning.setText(said)

    async def _save(self) -> None:
        name = " ".join(self.name.text().split())
        await self._context.bridge.write(partial(keep, name=name, profile=self._profile, note=self.note.text()))
        self._context.notify("ok", tr("The profile is saved as “{name}”.", name=name))
        self.accept()

    async def _save_file(self) -> None:
        name = "".join("-" if one in '/\\:*?"<>|' else one for one in self.name.text().strip()) or "sensor"
        path = await ask.save_file(self, tr("Save the profile"), f"{name}.profile.json", FILES)
        if path is not None:
            await asyncio.to_thread(save_profile, path, self._profile)
            self._context.notify("ok", tr("The profile is saved as {name}.", name=path.name))
            self.accept()


class ProfilesDialog(_ProfileDialog):
    """The kept ones of one kind of sensor. ``profile`` is what was chosen."""

    def __init__(self, context: ConsoleContext, parent: QWidget, dialect: str) -> None:
        sense = tr("Its values are put beside the sensor's and into the fields; nothing is written by that.")
        super().__init__(context, parent, tr("Load a profile"), sense)
        self._dialect = dialect
        self.profile: Profile | None = None
        self.resize(WIDTH_PX, HEIGHT_PX)
        theme, formats = context.theme, context.formats
        columns: list[Column[SavedProfile]] = [
            Column("name", tr("Name"), lambda row: row.name, width=190, tooltip=lambda row: row.name),
            Column("model", tr("Model"), lambda row: row.profile.model or NOTHING, width=100),
            Column("settings", tr("Holds"), _size_words, lambda row: len(row.profile.settings), width=100),
            Column("saved", tr("Saved"), lambda row: formats.clock(row.created_at), lambda row: row.created_at,
                   width=130, note=formats.zone_name, tooltip=lambda row: formats.time(row.created_at)),
            Column("note", tr("Note"), lambda row: row.note or NOTHING, width=150, tooltip=lambda row: row.note),
        ]  # fmt: skip
        model = RowsModel[SavedProfile](columns, key=lambda row: row.id)
        self.table = DataTable(theme, model, tr("Profiles that are kept"))
        model.setParent(self.table)
        self.table.set_empty(
            "save", tr("No profile of this kind of sensor yet"),
            tr("Save profile… keeps the settings of a sensor here. Profiles in files are opened from below."),
        )  # fmt: skip
        self.from_file = outline_button(theme, tr("From a file…"), "folder-open")
        self.remove = outline_button(theme, tr("Remove…"), "trash-2")
        self.load = primary_button(theme, tr("Load"), "check")
        self.column.addWidget(in_card(self.table), 1)
        self.column.addWidget(self.problem)
        self.column.addLayout(buttons_row(self.from_file, self.remove, right=(self.cancel, self.load)))
        self.table.selected.connect(lambda _rows: self._enable())
        self.table.activated.connect(lambda _row: self._load())
        self.load.clicked.connect(self._load)
        self.from_file.clicked.connect(partial(self.start, self._load_file))
        self.remove.clicked.connect(partial(self.start, self._remove))
        self.load.setDefault(True)
        self._enable()

    async def reload(self) -> None:
        found = await self._context.bridge.read(partial(list_profiles, dialect=self._dialect))
        self.table.model.apply(found)
        if found and not self.table.selected_rows():
            self.table.select_key(found[0].id)
        self._enable()

    def _row(self) -> SavedProfile | None:
        rows: Sequence[SavedProfile] = self.table.selected_rows()
        return rows[0] if len(rows) == 1 else None

    def _enable(self) -> None:
        for button in (self.load, self.remove):
            button.setEnabled(self._row() is not None)

    def _load(self) -> None:
        row = self._row()
        if row is not None:
            self.profile = row.profile
            self.accept()

    async def _load_file(self) -> None:
        path = await ask.open_file(self, tr("Load a profile"), FILES)
        if path is not None:
            self.profile = await asyncio.to_thread(load_profile, path)
            self.accept()

    async def _remove(self) -> None:
        row = self._row()
        if row is not None and await ask.confirm(
            self, self._context.theme, tr("Remove the profile “{name}”?", name=row.name),
            tr("It leaves the list of every workplace with this store; the list of acts keeps its settings."),
            act=tr("Remove the profile"), destructive=True,
        ):  # fmt: skip
            await self._context.bridge.write(partial(remove_profile, profile_id=row.id))
            await self.reload()


def _size_words(row: SavedProfile) -> str:
    return trn("{count} setting", "{count} settings", len(row.profile.settings))
