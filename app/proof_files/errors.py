"""What an act on a proof's file may be refused for."""

from __future__ import annotations

from app.errors import OperatorError


class ProofFileError(OperatorError):
    """It cannot be done as things stand; nothing was changed."""


class ProofFileNotFound(ProofFileError):
    """There is no such file."""
