"""OpenLMIS v3: catalogue, stock, requisitions, orders, shipments and proofs of delivery of an OpenLMIS server."""

from adapters.openlmis.adapter import OpenLmisAdapter
from adapters.openlmis.settings import OpenLmisSettings

__all__ = ["OpenLmisAdapter", "OpenLmisSettings"]
