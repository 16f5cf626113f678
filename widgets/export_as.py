"""Exporting and printing a table as seen: the questions around ``widgets/export.py``."""

from __future__ import annotations

import asyncio

from PySide6.QtPrintSupport import QPrintDialog, QPrinter
from PySide6.QtWidgets import QWidget

from app.clock import utc_now
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.export import Sheet, export
from widgets.paper import draw_sheet

_FORMS = ("CSV (*.csv)", "Excel (*.xlsx)", "PDF (*.pdf)")


async def export_as(parent: QWidget, context: ConsoleContext, sheet: Sheet) -> None:
    """Ask for a file, write the sheet there, and say so; what failed is said with the reason."""
    name = f"{sheet.title.lower().replace(' ', '-')}-{utc_now().astimezone(context.formats.zone):%Y-%m-%d}.csv"
    file = await ask.save_file(parent, tr("Export {title} as seen", title=sheet.title), name, _FORMS)
    if file is None:
        return
    try:
        await asyncio.to_thread(export, sheet, file)
    except (OSError, ValueError) as err:
        why = err.strerror if isinstance(err, OSError) and err.strerror else str(err)
        context.notify("error", tr("{file} could not be written: {why}. Choose another place.", file=file, why=why))
        return
    rows = trn("{count} row", "{count} rows", len(sheet.rows))
    context.notify("ok", tr("{rows} written to {file}", rows=rows, file=file))


async def print_table(parent: QWidget, context: ConsoleContext, sheet: Sheet) -> None:
    """Ask for a printer and print the sheet; what failed is said with the reason."""
    printer = QPrinter(QPrinter.PrinterMode.HighResolution)
    printer.setDocName(sheet.title)
    if not await ask.run(QPrintDialog(printer, parent)):
        return
    try:
        await asyncio.to_thread(draw_sheet, sheet, printer)
    except OSError as err:
        context.notify("error", tr("It was not printed: {why}. Look at the printer, then try again.", why=str(err)))
