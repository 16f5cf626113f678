"""NHLMIS of Nigeria: orders in, stock reports and shipments out, by a profile where no contract is public."""

from adapters.nhlmis.adapter import NhlmisAdapter
from adapters.nhlmis.settings import NhlmisSettings

__all__ = ["NhlmisAdapter", "NhlmisSettings"]
