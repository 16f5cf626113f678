"""For the tests at simulated lines."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from adapters.fuel_monitoring.bench import link


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sensors of the tests answer in milliseconds: what does not is silent."""
    monkeypatch.setattr(link, "ANSWER_S", 0.06)
    monkeypatch.setattr(link.Ask, "__init__", _quick(link.Ask.__init__))
    monkeypatch.setattr("adapters.fuel_monitoring.bench.lls.LISTEN_S", 0.15)
    monkeypatch.setattr("adapters.fuel_monitoring.bench.lls.SETTLE_S", 0.01)


def _quick(make: Callable[..., None]) -> Callable[..., None]:
    def made(self: Any, *arguments: Any, **options: Any) -> None:
        make(self, *arguments, **{"patience_s": 0.06, **options})

    return made
