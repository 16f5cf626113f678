"""mSupply: items, stock, requisitions and shipments of an open mSupply server, and what the older one lets be read."""

from adapters.msupply.adapter import MSupplyAdapter
from adapters.msupply.settings import MSupplySettings

__all__ = ["MSupplyAdapter", "MSupplySettings"]
