"""The page that the tests of this folder are about."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.helpers.activity_page import Desk, activity_desk
from tests.helpers.qt import Console


@pytest_asyncio.fixture
async def desk(console: Console) -> AsyncIterator[Desk]:
    async with activity_desk(console) as made:
        yield made
