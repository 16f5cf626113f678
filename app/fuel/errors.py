"""What fuel refuses, in sentences for the operator."""

from __future__ import annotations

from app.errors import OperatorError


class FuelError(OperatorError):
    """A file, a table or a request about fuel cannot be used; nothing was changed."""
