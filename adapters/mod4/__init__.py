"""The Mod4 driver system: the driver platform by its database or its web service (docs/integrations/mod4.md)."""

from adapters.mod4.adapter import Mod4Adapter
from adapters.mod4.settings import Mod4Settings

__all__ = ["Mod4Adapter", "Mod4Settings"]
