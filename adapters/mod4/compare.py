"""The overview of features: what is off at this database, why, and what mends it (biko.md, section 7)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adapters.base import Adapter, Difference
from adapters.errors import Unsupported
from adapters.mod4.adapter import Mod4Adapter


async def compare(adapter: Adapter[Any]) -> Sequence[Difference]:
    """See :class:`adapters.base.Comparison`: one difference per feature that is off, or on with a remark."""
    if not isinstance(adapter, Mod4Adapter):
        raise Unsupported("This comparison is the one of the Mod4 Driver System. Choose a Mod4 integration.")
    adapter.platform.forget()
    async with adapter.platform.open() as opened:
        features = opened.site.features.values()
    found = [
        Difference(feature.label, feature.why, f"{feature.without} {feature.mend}")
        for feature in features
        if not feature.is_on
    ]
    return found + [
        Difference(feature.label, feature.remark, "It works all the same.")
        for feature in features
        if feature.is_on and feature.remark
    ]
