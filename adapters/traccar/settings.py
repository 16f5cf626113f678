"""What an operator enters for a Traccar server; the form is made from it."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import SecretStr, model_validator

from adapters.base import Settings, setting
from adapters.errors import SettingsInvalid


class TraccarSettings(Settings):
    """Names that scripts rely on: ``url``, ``auth``, ``username``, ``fingerprint``, secrets ``token``, ``password``."""

    url: str = setting(
        "Server address",
        "url",
        example="https://gps.example.org",
        help="As typed into a browser to reach Traccar; “/api” is added where it is missing.",
        min_length=1,
        max_length=500,
    )
    auth: Literal["token", "session", "basic"] = setting(
        "Sign in with",
        "choice",
        default="token",
        choices={"token": "Token", "session": "User name and password", "basic": "User name and password, each time"},
        help="A token of a read-only user is best: it can be revoked alone and works with a second factor.",
    )
    token: SecretStr | None = setting(
        "Token",
        "secret",
        default=None,
        help="Made in Traccar under Settings, Preferences, Token. Choose an end date far ahead.",
        shown_when={"auth": ("token",)},
    )
    username: str = setting(
        "User name",
        "text",
        default="",
        example="depot@example.org",
        help="The e-mail address or login of the Traccar user.",
        shown_when={"auth": ("session", "basic")},
        max_length=300,
    )
    password: SecretStr | None = setting("Password", "secret", default=None, shown_when={"auth": ("session", "basic")})
    fingerprint: str = setting(
        "Pinned certificate",
        "fingerprint",
        default="",
        help="SHA-256 fingerprint of the server's certificate or private authority; empty for public certificates.",
        max_length=200,
    )
    poll_interval_s: int = setting(
        "Ask every",
        "number",
        default=60,
        unit="s",
        help="How often devices, events and missing history are asked for; live positions arrive in between.",
        tab="sync",
        ge=10,
        le=86_400,
    )
    live: bool = setting(
        "Live updates",
        "switch",
        default=True,
        help="Keeps a WebSocket open. Switch off only where a proxy does not let it through.",
        tab="sync",
    )
    first_history_h: int = setting(
        "History at first connection",
        "number",
        default=24,
        unit="h",
        help="How far back positions are fetched when a vehicle is seen for the first time.",
        tab="sync",
        ge=0,
        le=24 * 31,
    )
    longest_gap_days: int = setting(
        "Longest gap to fill",
        "number",
        default=31,
        unit="days",
        help="After a longer silence only this much history is fetched.",
        tab="sync",
        ge=1,
        le=400,
    )
    reread_min: int = setting(
        "Look for late positions every",
        "number",
        default=60,
        unit="min",
        help="Trackers deliver buffered positions hours late: the last 24 hours are read again this often.",
        tab="sync",
        ge=5,
        le=1440,
    )
    answer_within_s: int = setting(
        "Longest silence",
        "number",
        default=30,
        unit="s",
        help="A request on which nothing arrives for this long is given up.",
        tab="sync",
        ge=1,
        le=600,
    )

    @model_validator(mode="after")
    def _what_the_sign_in_needs(self) -> Self:
        if self.auth == "token":
            if not _given(self.token):
                raise SettingsInvalid("token", "Enter the token, or choose another way to sign in.")
            return self
        if not self.username.strip():
            raise SettingsInvalid("username", "Enter the user name of the Traccar account, or sign in with a token.")
        if not _given(self.password):
            raise SettingsInvalid("password", "Enter the password of the Traccar account, or sign in with a token.")
        return self


def _given(secret: SecretStr | None) -> bool:
    return secret is not None and bool(secret.get_secret_value().strip())
