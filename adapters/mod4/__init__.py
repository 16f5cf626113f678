"""The Mod4 driver system: a direct link to the platform's PostgreSQL database (docs/integrations/mod4.md)."""

from __future__ import annotations

from adapters.mod4.adapter import Mod4Adapter

__all__ = ["Mod4Adapter"]
