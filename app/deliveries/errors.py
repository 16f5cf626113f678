"""What an act on drivers, batches and deliveries may be refused for."""

from __future__ import annotations

from app.errors import OperatorError


class DeliveryError(OperatorError):
    """The act cannot be done as things stand; nothing was changed."""


class NotFound(DeliveryError):
    """There is no such batch, shipment, driver or proof in the store."""
