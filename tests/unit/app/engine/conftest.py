from __future__ import annotations

from tests.helpers.engine_rig import modes, rig

__all__ = ["modes", "rig"]
