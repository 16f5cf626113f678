"""What an operator enters for an mSupply server; the form is made from it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import SecretStr, model_validator

from adapters.base import Settings, setting
from adapters.errors import SettingsInvalid

_PATH = r"^/[A-Za-z0-9_/.-]+$"
"""Counted repeats of every letter there is take 30 ms to be made ready, at each start of the window."""
_OPEN = {"api": ("open",)}
_OLD = {"api": ("4d",)}


class MSupplySettings(Settings):
    """Names that scripts rely on: ``url``, ``api``, ``username``, ``fingerprint``, ``stores``, secret ``password``.

    Policies of delivery (msupply.md, section 6): neither ``ships`` nor ``receives`` is “observe only”, ``ships`` is
    “ship on departure”, ``receives`` is “receive on behalf”.
    """

    url: str = setting(
        "Server address",
        "url",
        example="https://msupply.example.org:8000",
        help="As typed into a browser to reach mSupply; “/graphql” or “/api/v4” is added where it is missing.",
        min_length=1,
        max_length=500,
    )
    api: Literal["open", "4d"] = setting(
        "Product",
        "choice",
        default="open",
        choices={"open": "open mSupply", "4d": "mSupply (older, 4D): read only"},
        help="open mSupply is the one that runs in the browser, on tablets and at facilities.",
    )
    username: str = setting(
        "User name",
        "text",
        example="depot-console",
        help="An account of its own, with access to the stores that this console should see.",
        min_length=1,
        max_length=300,
    )
    password: SecretStr | None = setting("Password", "secret", default=None)
    fingerprint: str = setting(
        "Pinned certificate",
        "fingerprint",
        default="",
        help="SHA-256 fingerprint of the server's certificate or private authority. mSupply makes its own certificate "
        "unless the site installs one, so most servers need it; Test shows it.",
        max_length=200,
    )
    stores: str = setting(
        "Stores",
        "text",
        default="",
        example="SCMS, ZMS",
        help="Codes of the stores to follow, with commas; empty for every store of the account.",
        shown_when=_OPEN,
        max_length=2000,
    )
    ships: bool = setting(
        "Pick and ship from here",
        "switch",
        default=False,
        help="Lets this console set outbound shipments to picked and shipped. Both take the stock out of the store.",
        shown_when=_OPEN,
    )
    receives: bool = setting(
        "Report deliveries to the receiving store",
        "switch",
        default=False,
        help="Lets this console set a shipment to delivered in the store that receives it. The account needs rights "
        "there; the stock is booked by the facility itself.",
        shown_when=_OPEN,
    )
    login_type: Literal["invoice", "storeInvoice"] = setting(
        "Kind of account",
        "choice",
        default="invoice",
        choices={"invoice": "Contact of a customer", "storeInvoice": "Normal mSupply user"},
        shown_when=_OLD,
    )
    stock_path: str = setting(
        "Path of stock", "text", default="/stock", help="Below /api/v4.", shown_when=_OLD, pattern=_PATH, max_length=200
    )
    invoices_path: str = setting(
        "Path of customer invoices",
        "text",
        default="/customerInvoice",
        help="Below /api/v4; sites differ, ask the administrator.",
        shown_when=_OLD,
        pattern=_PATH,
        max_length=200,
    )
    poll_interval_s: int = setting(
        "Look every",
        "number",
        default=300,
        unit="s",
        help="How often this console looks what is due; each kind of record has its own interval below.",
        tab="sync",
        ge=10,
        le=86_400,
    )
    shipments_every_min: int = setting("Shipments every", "number", default=5, unit="min", tab="sync", ge=1, le=1440)
    requisitions_every_min: int = setting(
        "Requisitions every", "number", default=15, unit="min", tab="sync", ge=1, le=1440
    )
    stock_every_min: int = setting("Stock every", "number", default=60, unit="min", tab="sync", ge=1, le=10_080)
    catalogue_every_h: int = setting(
        "Facilities, programmes and items every", "number", default=24, unit="h", tab="sync", ge=1, le=720
    )
    consumption: bool = setting(
        "Average consumption",
        "switch",
        default=True,
        help="Asks once a day for the average monthly consumption of what is in stock. Costs a small server some time.",
        tab="sync",
        shown_when=_OPEN,
    )
    first_history_days: int = setting(
        "History at first connection",
        "number",
        default=90,
        unit="days",
        help="How old requisitions and shipments may be at the first reading; open ones come whatever their age.",
        tab="sync",
        shown_when=_OPEN,
        ge=1,
        le=3650,
    )
    follow_days: int = setting(
        "Follow a shipment for",
        "number",
        default=60,
        unit="days",
        help="How long after it was shipped a shipment is still looked at for its delivery.",
        tab="sync",
        shown_when=_OPEN,
        ge=1,
        le=730,
    )
    page_size: int = setting(
        "Records per request",
        "number",
        default=200,
        help="At most; on a bad line fewer are asked for at a time by itself.",
        tab="sync",
        ge=10,
        le=1000,
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
    login_within_s: int = setting(
        "Longest sign-in",
        "number",
        default=30,
        unit="s",
        help="A server that cannot reach its central server needs 10 s more, and holds a refusal back for 6 s.",
        tab="sync",
        ge=10,
        le=300,
    )

    @property
    def store_codes(self) -> tuple[str, ...]:
        """The stores to follow by code, in order; empty for all."""
        return tuple(dict.fromkeys(code.strip() for code in self.stores.split(",") if code.strip()))

    @model_validator(mode="after")
    def _what_the_sign_in_needs(self) -> Self:
        if self.password is None or not self.password.get_secret_value():
            raise SettingsInvalid("password", "Enter the password of the mSupply account.")
        return self
