from __future__ import annotations

from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr, model_validator

from adapters.base import Manifest, Settings, setting
from adapters.errors import AuthFailed, SettingsInvalid
from app.integrations.settings import Fault, SettingsRefused, public_part, secret_part, stored_settings, validate
from app.security.vault import MemoryVault
from tests.helpers.desks import make_catalogue

CATALOGUE = make_catalogue()


class ManySettings(Settings):
    url: str = setting("Server address", "url", example="https://gps.example.org", min_length=5, max_length=30)
    auth: Literal["token", "none"] = setting("Sign in with", "choice", default="none", choices={"token": "Token"})
    token: SecretStr | None = setting("Token", "secret", default=None)
    every_s: int = setting("Ask every", "number", default=60, unit="s", ge=10, le=600)
    factor: float = setting("Factor", "number", default=1.0, gt=0, lt=10)
    live: bool = setting("Live", "switch", default=True)

    @model_validator(mode="after")
    def _needs_token(self) -> ManySettings:
        if self.auth == "token" and self.token is None:
            raise ValueError("A token is needed to sign in with one")
        return self


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = {name: getattr(CATALOGUE.manifest("cold_room"), name) for name in Manifest.__dataclass_fields__}
    manifest = Manifest(**facts | {"settings": ManySettings})
    monkeypatch.setattr(CATALOGUE, "manifest", lambda _key: manifest)


def whys(values: dict[str, Any], secrets: dict[str, str] | None = None) -> dict[str, str]:
    with pytest.raises(SettingsRefused) as found:
        validate(CATALOGUE, "many", values, secrets)
    return {fault.field: fault.why for fault in found.value.faults}


URL = {"url": "http://h"}


@pytest.mark.usefixtures("many")
class TestSentences:
    @pytest.mark.parametrize(
        ("values", "field", "why"),
        [
            ({}, "url", "Server address is needed. Example: https://gps.example.org"),
            ({"url": "x"}, "url", "Server address is too short: at least 5 characters are needed."),
            ({"url": "x" * 31}, "url", "Server address is too long: at most 30 characters are possible."),
            ({**URL, "every_s": 5}, "every_s", "Ask every must be at least 10 s."),
            ({**URL, "every_s": 5000}, "every_s", "Ask every must be at most 600 s."),
            ({**URL, "every_s": "ten"}, "every_s", "Ask every must be a whole number."),
            ({**URL, "every_s": 10.5}, "every_s", "Ask every must be a whole number."),
            ({**URL, "factor": 0}, "factor", "Factor must be more than 0.0."),
            ({**URL, "factor": "10"}, "factor", "Factor must be less than 10.0."),
            ({**URL, "factor": "x"}, "factor", "Factor must be a number."),
            ({**URL, "live": "perhaps"}, "live", "Live must be yes or no."),
            ({**URL, "auth": "magic"}, "auth", "Sign in with must be one of: token."),
            ({**URL, "auth": "token"}, "", "A token is needed to sign in with one."),
            ({**URL, "url": 7}, "url", "Server address cannot be right: input should be a valid string."),
        ],
    )
    def test_each_fault_is_a_plain_sentence(self, values: dict[str, Any], field: str, why: str) -> None:
        assert whys(values)[field].startswith(why)

    def test_unknown_names_list_the_known_ones(self) -> None:
        assert whys({**URL, "colour": 1})["colour"].startswith("There is no setting named “colour”. There are: url, ")

    def test_a_secret_among_plain_values_is_refused_without_repeating_it(self) -> None:
        why = whys({**URL, "token": "planted-misplaced"})["token"]
        assert why == "“token” is a secret; give it as one."

    def test_a_plain_value_among_secrets_is_refused(self) -> None:
        assert whys({}, {"url": "http://h"})["url"].endswith("give it as a plain setting.")

    def test_no_sentence_repeats_what_was_entered(self) -> None:
        assert "planted-value" not in str(whys({"url": ["planted-value"], "every_s": "planted-value"}))

    def test_texts_of_a_form_and_the_command_line_are_read(self) -> None:
        read = validate(CATALOGUE, "many", {**URL, "every_s": " 90 ", "live": "off", "factor": ""}, {"token": " t "})
        assert isinstance(read, ManySettings)
        assert (read.every_s, read.live, read.factor) == (90, False, 1.0)

    def test_secrets_and_the_rest_go_separate_ways(self) -> None:
        read = validate(CATALOGUE, "many", URL, {"token": "planted-part"})
        assert public_part(read) == {"url": "http://h", "auth": "none", "every_s": 60, "factor": 1.0, "live": True}
        assert secret_part(read) == {"token": "planted-part"}
        assert secret_part(validate(CATALOGUE, "many", URL)) == {}

    def test_a_missing_secret_asks_to_sign_in(self) -> None:
        with pytest.raises(AuthFailed, match="Sign in again"):
            stored_settings(CATALOGUE, MemoryVault(), "id", "many", {**URL, "auth": "token"})

    def test_another_fault_names_its_field(self) -> None:
        with pytest.raises(SettingsInvalid) as found:
            stored_settings(CATALOGUE, MemoryVault(), "id", "many", {**URL, "every_s": 1, "auth": "token"})
        assert found.value.field == "every_s"

    def test_stored_secrets_come_from_the_vault(self) -> None:
        vault = MemoryVault()
        vault.set("id", "token", "planted-stored")
        read = stored_settings(CATALOGUE, vault, "id", "many", {**URL, "auth": "token"})
        assert secret_part(read) == {"token": "planted-stored"}


_values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.lists(st.integers())


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(["host", "port", "poll_interval_s", "x"]), _values), st.text(max_size=9))
def test_any_input_gives_settings_or_sentences(values: dict[str, Any], token: str) -> None:
    faults: tuple[Fault, ...] = ()
    try:
        read = validate(CATALOGUE, "cold_room", values, {"token": token})
    except SettingsRefused as err:
        faults = err.faults
    else:
        assert "token" not in public_part(read)
    assert all(fault.why.endswith((".", "17")) for fault in faults)
