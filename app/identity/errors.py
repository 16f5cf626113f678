"""What an act on the identity map may be refused for."""

from __future__ import annotations

from app.errors import OperatorError


class IdentityError(OperatorError):
    """The act cannot be done as things stand; nothing was changed."""


class NotFound(IdentityError):
    """There is no such record, identity or act."""
