"""Unexpected errors lead to one report, from whatever thread, without secrets, once."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from PySide6.QtCore import QObject, QTimer, Signal

from app.security.redaction import register_secret
from tests.helpers.qt import Console, ExpectedLogs, until
from widgets.crash import CrashReport, CrashReporter

SECRET = "planted-secret-7f3a"


class Desk:
    def __init__(self) -> None:
        self.reports: list[CrashReport] = []
        self.reporter = CrashReporter(lambda: ["a line", f"password={SECRET}"])
        self.reporter.reported.connect(self.reports.append)


@pytest_asyncio.fixture
async def desk(expected_logs: ExpectedLogs, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    expected_logs.allow("Unexpected error in", logging.CRITICAL)
    made = Desk()
    loop = asyncio.get_running_loop()
    # pytest-qt and pytest look at the same hooks; they come back at the end.
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    made.reporter.install(loop)
    yield made
    loop.set_exception_handler(None)


class Bell(QObject):
    rang = Signal()


async def test_an_error_in_a_slot(desk: Desk) -> None:
    def fail() -> None:
        raise ZeroDivisionError("in a slot")

    QTimer.singleShot(0, fail)
    await until(lambda: desk.reports)
    assert desk.reports[0].what == "ZeroDivisionError: in a slot"
    assert "fail" in desk.reports[0].trace


async def test_an_error_in_a_lost_task(desk: Desk) -> None:
    asyncio.get_running_loop().call_soon(lambda: 1 / 0)
    await until(lambda: desk.reports)
    assert "ZeroDivisionError" in desk.reports[0].what


async def test_an_error_in_a_task_of_ours_and_in_a_thread(desk: Desk, console: Console) -> None:
    desk.reporter.report("trackers: refresh", KeyError("imei"))
    thread = threading.Thread(target=lambda: int("x"), name="reader of ttyUSB0")
    thread.start()
    await until(lambda: len(desk.reports) == 2)
    thread.join()
    assert {report.where for report in desk.reports} == {"trackers: refresh", "reader of ttyUSB0"}


async def test_the_same_error_is_shown_once_and_cancellation_never(desk: Desk) -> None:
    for _ in range(3):
        desk.reporter.report("a page", ValueError("again"))
    desk.reporter.report("a page", asyncio.CancelledError())
    desk.reporter.report("a page", ValueError("another"))
    await until(lambda: len(desk.reports) == 2)
    assert [report.what for report in desk.reports] == ["ValueError: again", "ValueError: another"]


async def test_the_report_holds_versions_and_log_but_no_secret(desk: Desk) -> None:
    register_secret(SECRET)
    desk.reporter.report("the server", RuntimeError(f"refused {SECRET}"))
    await until(lambda: desk.reports)
    text = desk.reports[0].as_text()
    assert SECRET not in text
    assert "a line" in text
    assert f"Python {sys.version.split()[0]}" in text
    assert "Where: the server" in text
