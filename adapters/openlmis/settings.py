"""What an operator enters for an OpenLMIS server; the form is made from it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import SecretStr, model_validator

from adapters.base import Settings, setting
from adapters.errors import SettingsInvalid

CONFIRM_HELP = (
    "Off: proofs of delivery are filled in and left open, and somebody confirms them in OpenLMIS. On: they may be "
    "confirmed from here, each time after a question. Confirming books the accepted quantities into the stock of the "
    "receiving facility, sets the order to received, sends notices, and can never be changed again."
)
SHIP_HELP = (
    "Switch on only where this console is the supplying side. Each shipment, sent after a question, takes its "
    "quantities out of the stock of the supplying facility, sets the order to shipped and opens its proof of delivery. "
    "There is one shipment per order, and it cannot be taken back."
)


class OpenLmisSettings(Settings):
    """Names that scripts rely on: ``url``, ``auth``, ``client_id``, ``username``, ``facilities``, ``programs``, …"""

    url: str = setting(
        "Server address",
        "url",
        example="https://lmis.example.org",
        help="As typed into a browser to reach OpenLMIS; “/api” is added where it is missing.",
        min_length=1,
        max_length=500,
    )
    auth: Literal["user", "key"] = setting(
        "Sign in with",
        "choice",
        default="user",
        choices={"user": "User and client", "key": "API key"},
        help="A user brings the rights of that user. An API key has no user behind it: it reads, but requisitions "
        "cannot be changed with it.",
    )
    client_id: str = setting(
        "Client",
        "text",
        default="",
        example="console-client",
        help="Name of the OAuth client that the OpenLMIS administrator made for this console.",
        shown_when={"auth": ("user",)},
        max_length=200,
    )
    client_secret: SecretStr | None = setting("Client secret", "secret", default=None, shown_when={"auth": ("user",)})
    username: str = setting(
        "User name",
        "text",
        default="",
        example="depot",
        help="The OpenLMIS user whose rights this console uses.",
        shown_when={"auth": ("user",)},
        max_length=200,
    )
    password: SecretStr | None = setting("Password", "secret", default=None, shown_when={"auth": ("user",)})
    api_key: SecretStr | None = setting(
        "API key",
        "secret",
        default=None,
        help="Made by an OpenLMIS administrator; it does not expire.",
        shown_when={"auth": ("key",)},
    )
    fingerprint: str = setting(
        "Pinned certificate",
        "fingerprint",
        default="",
        help="SHA-256 fingerprint of the server's certificate or private authority; empty for public certificates.",
        max_length=200,
    )
    facilities: str = setting(
        "Our facilities",
        "text",
        default="",
        example="NWZS, KAH001",
        help="Codes of the facilities whose stock and papers are read, separated by commas. Empty: those in which the "
        "user has rights; with an API key they must be named.",
        tab="sync",
        max_length=2000,
    )
    programs: str = setting(
        "Programmes",
        "text",
        default="",
        example="MAL, HIV",
        help="Codes of the programmes to follow, separated by commas; empty for all.",
        tab="sync",
        max_length=2000,
    )
    confirm_proofs: bool = setting("Confirm proofs of delivery", "switch", default=False, help=CONFIRM_HELP, tab="sync")
    ship_orders: bool = setting("Create shipments", "switch", default=False, help=SHIP_HELP, tab="sync")
    poll_interval_s: int = setting(
        "Ask every",
        "number",
        default=300,
        unit="s",
        help="How often orders, shipments and proofs of delivery are asked for.",
        tab="sync",
        ge=30,
        le=86_400,
    )
    requisitions_every_min: int = setting(
        "Requisitions every",
        "number",
        default=10,
        unit="min",
        help="How often changed requisitions are asked for.",
        tab="sync",
        ge=1,
        le=1440,
    )
    stock_every_min: int = setting(
        "Stock every",
        "number",
        default=60,
        unit="min",
        help="How often the stock of each of our facilities is read as a whole.",
        tab="sync",
        ge=5,
        le=10_080,
    )
    reference_every_h: int = setting(
        "Lists every",
        "number",
        default=24,
        unit="h",
        help="How often facilities, programmes and periods are read. Items are asked for changes at the same times.",
        tab="sync",
        ge=1,
        le=720,
    )
    facility_places: bool = setting(
        "Positions of facilities",
        "switch",
        default=True,
        help="Reads the page of each facility for its position on the map: one request per facility and reading.",
        tab="sync",
    )
    history_days: int = setting(
        "Papers at first connection",
        "number",
        default=120,
        unit="days",
        help="How far back requisitions and finished orders are fetched at first.",
        tab="sync",
        ge=1,
        le=3650,
    )
    page_size: int = setting(
        "Largest page",
        "number",
        default=400,
        help="The most records that are asked for at once. On a slow line pages become smaller by themselves.",
        tab="sync",
        ge=10,
        le=2000,
    )
    answer_within_s: int = setting(
        "Longest silence",
        "number",
        default=60,
        unit="s",
        help="A request on which nothing arrives for this long is given up.",
        tab="sync",
        ge=1,
        le=600,
    )

    @model_validator(mode="after")
    def _what_the_sign_in_needs(self) -> Self:
        if self.auth == "key":
            if not _given(self.api_key):
                raise SettingsInvalid("api_key", "Enter the API key, or sign in with a user.")
            return self
        for name, word in (("client_id", "name of the OAuth client"), ("username", "user name")):
            if not getattr(self, name):
                raise SettingsInvalid(name, f"Enter the {word}, or sign in with an API key.")
        for name, word in (("client_secret", "secret of the OAuth client"), ("password", "password of the user")):
            if not _given(getattr(self, name)):
                raise SettingsInvalid(name, f"Enter the {word}, or sign in with an API key.")
        return self


def codes(text: str) -> tuple[str, ...]:
    """The codes of a comma-separated list, in order, each once."""
    return tuple(dict.fromkeys(code for part in text.split(",") if (code := part.strip())))


def _given(secret: SecretStr | None) -> bool:
    return secret is not None and bool(secret.get_secret_value().strip())
