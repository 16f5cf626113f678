"""What an operator enters for NHLMIS; the form is made from it. What the interface itself is stands in the profile."""

from __future__ import annotations

import re
from typing import Self

from pydantic import SecretStr, model_validator

from adapters.base import Settings, setting
from adapters.errors import SettingsInvalid


class NhlmisSettings(Settings):
    """Names that scripts rely on: ``url``, ``profile``, ``profile_approved``, ``approved_code``; secret ``api_key``."""

    url: str = setting(
        "Server address",
        "url",
        example="https://nhlmis.example.org/v1",
        help="As the NHLMIS team names it: everything up to and including the version.",
        min_length=1,
        max_length=500,
    )
    api_key: SecretStr | None = setting(
        "API key",
        "secret",
        default=None,
        help="Issued by the NHLMIS team for your organisation and bound to its stores.",
    )
    fingerprint: str = setting(
        "Pinned certificate",
        "fingerprint",
        default="",
        help="SHA-256 fingerprint of the server's certificate or private authority; empty for public certificates.",
        max_length=200,
    )
    organisation: str = setting(
        "Organisation",
        "text",
        default="",
        help="Whose key this is. Needed only where two organisations report from this console.",
        max_length=200,
    )
    stores: str = setting(
        "Stores",
        "text",
        default="",
        help="NHLMIS codes of the stores that report and take orders here, with commas between; empty for all.",
        max_length=5000,
    )
    profile: str = setting(
        "Profile file",
        "file",
        default="",
        help="The agreed way of talking to NHLMIS: header, paths and names of fields. Empty for the default one.",
        max_length=1000,
    )
    profile_approved: bool = setting(
        "Send to NHLMIS",
        "switch",
        default=False,
        help="Leave off until a dry run was looked at and agreed on. Orders are read without it.",
    )
    approved_code: str = setting(
        "Code of the dry run",
        "text",
        default="",
        help="Stands at the end of the dry run that was agreed on; a changed profile or address has another one.",
        shown_when={"profile_approved": ("True", "true")},
        max_length=20,
    )
    poll_interval_s: int = setting(
        "Ask for orders every",
        "number",
        default=1800,
        unit="s",
        help="New orders are asked for this often.",
        tab="sync",
        ge=60,
        le=86_400,
    )
    stock_every_days: int = setting(
        "Report stock every",
        "number",
        default=0,
        unit="days",
        help="0: as the profile says.",
        tab="sync",
        ge=0,
        le=92,
    )
    stock_at: str = setting(
        "Report stock at",
        "text",
        default="",
        help="Local time of day, such as 20:00. Empty: as the profile says.",
        tab="sync",
        max_length=5,
    )
    answer_within_s: int = setting(
        "Longest silence",
        "number",
        default=0,
        unit="s",
        help="A request on which nothing arrives for this long is given up. 0: as the profile says.",
        tab="sync",
        ge=0,
        le=600,
    )

    @property
    def store_codes(self) -> tuple[str, ...]:
        """The chosen stores in the order given; empty for all."""
        return tuple(dict.fromkeys(code for part in re.split(r"[,;\n]", self.stores) if (code := part.strip())))

    @model_validator(mode="after")
    def _what_sending_needs(self) -> Self:
        if self.api_key is None or not self.api_key.get_secret_value().strip():
            raise SettingsInvalid("api_key", "Enter the API key that the NHLMIS team issued.")
        if self.stock_at and not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", self.stock_at):
            raise SettingsInvalid("stock_at", "Enter a time of day as 20:00, or leave it empty.")
        return self
