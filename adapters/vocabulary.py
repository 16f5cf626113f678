"""What the vocabularies of adapters are written with: :mod:`adapters.records`, ``supply`` and ``dispatch``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dataclasses import dataclass as record
else:

    def record(*, frozen: bool, slots: bool) -> Callable[[type[Any]], type[Any]]:
        """Frozen for the type checker only: dataclasses that refuse assignment are made at a third of the speed."""
        return dataclass(unsafe_hash=frozen, slots=slots)


__all__ = ["Attributes", "JsonScalar", "record"]

JsonScalar = str | int | float | bool | None
Attributes = Mapping[str, JsonScalar]
