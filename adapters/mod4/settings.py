"""What an operator enters for the driver platform's database; the form is made from it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import SecretStr, model_validator

from adapters.base import Settings, setting
from adapters.connect import is_loopback, parse_address
from adapters.errors import SettingsInvalid
from adapters.file_access import FileAccess, place_of, places_from

_DATABASE = {"way": ("database",)}
_WEB = {"way": ("web",)}
_TLS = {"tls": ("required",)}


class Mod4Settings(Settings):
    """Names that scripts rely on: ``way``, ``host``, ``port``, ``database``, ``username``, ``tls``, ``url``, ``email``,
    ``fingerprint``, ``workspace``, ``acting_user``, ``app_url``, ``changes``, ``photos``, ``photo_hosts``,
    ``photo_mb``, secrets ``password``, ``anon_key``, ``account_password`` and ``functions_token``."""

    way: Literal["database", "web"] = setting(
        "Way in",
        "choice",
        default="database",
        choices={"database": "Its database", "web": "The platform's web service"},
        help="The database serves everything. The web service needs no route to the database, and shows only what the "
        "platform's own rules show to an account.",
    )
    url: str = setting(
        "Service address",
        "url",
        default="",
        example="https://project.example.org",
        help="Where the platform's web app sends its requests; without “/rest/v1”.",
        shown_when=_WEB,
        max_length=500,
    )
    anon_key: SecretStr | None = setting(
        "Publishable key",
        "secret",
        default=None,
        help="The key that the platform's web app sends with every request, also called anonymous key.",
        shown_when=_WEB,
    )
    email: str = setting(
        "E-mail address",
        "text",
        default="",
        example="dispatch@example.org",
        help="An account of the workspace, best one of its owners or administrators. Everything is done in its name.",
        shown_when=_WEB,
        max_length=320,
    )
    account_password: SecretStr | None = setting("Password of the account", "secret", default=None, shown_when=_WEB)
    host: str = setting(
        "Database server",
        "host",
        default="",
        example="db.example.org",
        help="Name or address of the platform's PostgreSQL server; of a hosted one, that of the direct connection.",
        shown_when=_DATABASE,
        max_length=255,
    )
    port: int = setting("Port", "port", default=5432, shown_when=_DATABASE, ge=1, le=65_535)
    database: str = setting("Database", "text", default="postgres", shown_when=_DATABASE, min_length=1, max_length=63)
    username: str = setting(
        "User name",
        "text",
        default="",
        example="biko_console",
        help="A database role of this console's own, made with the role script; never the owner of the database.",
        shown_when=_DATABASE,
        max_length=200,
    )
    password: SecretStr | None = setting("Password", "secret", default=None, shown_when=_DATABASE)
    tls: Literal["required", "off"] = setting(
        "Encryption",
        "choice",
        default="required",
        choices={"required": "TLS, verified", "off": "None (this computer only)"},
        help="Without encryption only a database on this computer may be reached.",
        shown_when=_DATABASE,
    )
    fingerprint: str = setting(
        "Pinned certificate",
        "fingerprint",
        default="",
        help="SHA-256 fingerprint of the server's certificate or private authority, where no public authority vouches "
        "for it; Test shows it.",
        shown_when=_TLS,
        max_length=200,
    )
    workspace: str = setting(
        "Workspace",
        "text",
        default="",
        example="Kano Depot",
        help="Name or id. Everything is read and changed in this workspace alone; empty only where there is just one.",
        max_length=300,
    )
    acting_user: str = setting(
        "Acts in the name of",
        "text",
        default="",
        example="dispatch@example.org",
        help="E-mail address or id of the platform's account that invitations, decisions and codes are recorded under: "
        "an owner or administrator of the workspace. Without it the console only reads what needs no account.",
        shown_when=_DATABASE,
        max_length=320,
    )
    app_url: str = setting(
        "Address of the driver app",
        "text",
        default="",
        example="https://drivers.example.org",
        help="Links of invitations begin with it.",
        max_length=500,
    )
    changes: bool = setting(
        "Change drivers and batches from here",
        "switch",
        default=True,
        help="Off: this console only reads.",
    )
    functions_url: str = setting(
        "Address of the platform's functions",
        "text",
        default="",
        example="https://project.example.org/functions/v1",
        help="Optional. Codes for addresses without an account, and invitations by mail, are made by the platform's "
        "own functions over HTTPS.",
        shown_when=_DATABASE,
        max_length=500,
    )
    functions_token: SecretStr | None = setting(
        "Token for the functions",
        "secret",
        default=None,
        help="The access token of the account above, as the platform's sign-in gives it; it ends by itself.",
        shown_when=_DATABASE,
    )
    poll_interval_s: int = setting(
        "Look every",
        "number",
        default=30,
        unit="s",
        help="Batches, events and positions of phones; what Mod4 Setup shows as well.",
        tab="sync",
        ge=10,
        le=86_400,
    )
    catalogue_every_min: int = setting(
        "Vehicles, facilities and past batches every",
        "number",
        default=60,
        unit="min",
        help="Complete readings, which also notice what was deleted.",
        tab="sync",
        ge=1,
        le=10_080,
    )
    first_history_days: int = setting(
        "History at first connection",
        "number",
        default=90,
        unit="days",
        help="How old events and positions may be at the first reading; batches come whatever their age.",
        tab="sync",
        ge=1,
        le=3650,
    )
    positions: bool = setting(
        "Positions of drivers' phones",
        "switch",
        default=True,
        help="Shows the phones of drivers on the map, as a source of their own.",
        tab="sync",
    )
    photos: bool = setting(
        "Fetch photos",
        "switch",
        default=True,
        tab="sync",
        help="Fetches the files of photos and signatures that drivers uploaded. Off on a line that is paid by the "
        "byte: then each is fetched when somebody asks for it.",
    )
    photo_hosts: str = setting(
        "Hosts of photos",
        "text",
        default="",
        tab="sync",
        example="project.example.org, files.example.org",
        help="Servers from which files are fetched, with commas between them; that of the functions is one already. "
        "Nothing is fetched from anywhere else.",
        max_length=1000,
    )
    photo_mb: int = setting("Largest photo", "number", default=40, unit="MB", tab="sync", ge=1, le=500)
    page_size: int = setting("Rows per page", "number", default=5000, tab="sync", ge=100, le=20_000)
    answer_within_s: int = setting(
        "Longest statement",
        "number",
        default=30,
        unit="s",
        help="A statement that takes longer is given up, at the server as well; over the web service a request on "
        "which nothing arrives for so long.",
        tab="sync",
        ge=1,
        le=600,
    )

    @property
    def is_web(self) -> bool:
        return self.way == "web"

    @property
    def peer(self) -> str:
        """How sentences name the other side."""
        if self.is_web:
            return f"the platform's web service at {parse_address(self.url).authority}"
        return f"the platform's database at {self.host}"

    @property
    def account(self) -> str:
        """Who signs in."""
        return self.email.strip() if self.is_web else self.username

    @property
    def place(self) -> str:
        """The other side's address, the same however it is written."""
        if self.is_web:
            address = parse_address(self.url)
            return f"{address.host.casefold()}:{address.port}{address.path}"
        return f"{self.host.casefold()}:{self.port}/{self.database}"

    @model_validator(mode="after")
    def _what_the_way_in_needs(self) -> Self:
        if self.is_web:
            self._what_the_web_service_needs()
        else:
            self._what_the_link_needs()
        for field in ("app_url", "functions_url"):
            if text := getattr(self, field):
                _encrypted(text, field)
        places_from(self.photo_hosts)
        return self

    def file_access(self) -> FileAccess:
        """From where files are fetched; the functions' token goes to their own host alone."""
        functions = place_of(self.functions_url) if self.functions_url else ""
        token = self.functions_token.get_secret_value() if self.functions_token is not None else ""
        own = {functions, place_of(self.url) if self.is_web else ""} - {""}
        return FileAccess(self.photos, places_from(self.photo_hosts) | own, self.photo_mb * 1_000_000, token, functions)

    def _what_the_link_needs(self) -> None:
        if not self.host:
            raise SettingsInvalid("host", "Enter the name or address of the database server.")
        if not self.username:
            raise SettingsInvalid("username", "Enter the database role that the role script made.")
        if self.tls == "off" and not is_loopback(self.host):
            raise SettingsInvalid(
                "tls", f"{self.host} is not this computer, so that the line to it must be encrypted. Choose TLS."
            )
        if self.password is None or not self.password.get_secret_value():
            raise SettingsInvalid("password", "Enter the password of the database role.")

    def _what_the_web_service_needs(self) -> None:
        if not self.url:
            raise SettingsInvalid("url", "Enter the address of the platform's web service.")
        _encrypted(self.url, "url")
        if not self.email.strip():
            raise SettingsInvalid("email", "Enter the e-mail address of an account of the workspace.")
        for field, words in (
            ("anon_key", "Enter the publishable key of the platform."),
            ("account_password", "Enter the password of the account."),
        ):
            secret = getattr(self, field)
            if secret is None or not secret.get_secret_value():
                raise SettingsInvalid(field, words)


def _encrypted(url: str, field: str) -> None:
    """Raises SettingsInvalid for an address to which secrets would travel in the open."""
    address = parse_address(url, field)
    if not address.secure and not is_loopback(address.host):
        raise SettingsInvalid(field, "The address must begin with https://.")
