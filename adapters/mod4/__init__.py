"""The Mod4 driver system: a direct link to the driver platform's PostgreSQL database (docs/integrations/mod4.md)."""

from adapters.mod4.adapter import Mod4Adapter
from adapters.mod4.settings import Mod4Settings

__all__ = ["Mod4Adapter", "Mod4Settings"]
