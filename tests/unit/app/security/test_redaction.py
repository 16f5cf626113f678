from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, SecretStr

from app.security.redaction import BLANK, is_secret_name, redact, redact_text, register_secret


@pytest.mark.parametrize(
    "name",
    [
        "password",
        "Password",
        "apiKey",
        "api_key",
        "X-Api-Key",
        "Authorization",
        "Set-Cookie",
        "JSESSIONID",
        "userToken",
        "access_key",
        "privateKey",
        "vault_key",
        "client-secret",
        "passphrase",
    ],
)
def test_telling_names_are_secret(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name", ["name", "fingerprint", "secrets_version", "key", "monkey", "hash", "tokenizer", "host"]
)
def test_other_names_are_not(name: str) -> None:
    assert not is_secret_name(name)


def test_values_under_telling_names_are_blanked_at_any_depth() -> None:
    found = redact({"a": [{"password": "pw-one", "user": "ada"}], "headers": {"Authorization": "Bearer abc"}})
    assert found == {"a": [{"password": BLANK, "user": "ada"}], "headers": {"Authorization": BLANK}}


def test_that_no_secret_is_set_stays_visible() -> None:
    assert redact({"password": "", "token": None, "keep_secret": True}) == {
        "password": "",
        "token": None,
        "keep_secret": True,
    }


@pytest.mark.parametrize(
    ("text", "hidden", "kept"),
    [
        ("postgresql://biko:hunter2@db.example.org/biko", "hunter2", "db.example.org"),
        ("GET https://gps.example.org/api?token=RzBFAiEA9x&page=2", "RzBFAiEA9x", "page=2"),
        ("Authorization: Basic YWRhOmh1bnRlcjItaHVudGVy", "YWRhOmh1bnRlcjItaHVudGVy", "Basic"),
        ("sent Bearer eyJhbGciOiJIUzI1NiJ9.e30.abc123 to it", "eyJhbGciOiJIUzI1NiJ9", "to it"),
        ('{"password": "with \\" quote", "id": 7}', "quote", '"id": 7'),
        ("{'token': 'abc def'}", "abc def", "token"),
        ("Cookie: JSESSIONID=node0abc123; Path=/", "node0abc123", "Path=/"),
        ("X-Api-Key: 9f8e7d6c5b", "9f8e7d6c5b", "X-Api-Key"),
    ],
)
def test_secrets_in_texts_are_blanked_and_the_rest_stays(text: str, hidden: str, kept: str) -> None:
    blanked = redact_text(text)
    assert hidden not in blanked
    assert kept in blanked


@pytest.mark.parametrize(
    "text",
    [
        "The server refused the token: sign in again.",
        "Choose token, session or basic sign-in.",
        "https://gps.example.org:8443/api/devices?id=7",
        "The password is needed.",
    ],
)
def test_prose_stays_as_it_is(text: str) -> None:
    assert redact_text(text) == text


@settings(max_examples=40, deadline=None)
@given(st.text(min_size=8, max_size=60).filter(lambda text: text.strip() == text and not text.isspace()))
def test_a_known_secret_is_found_in_every_spelling(secret: str) -> None:
    register_secret(secret)
    plain = secret.encode("utf-8", errors="surrogatepass")
    for spelling in (secret, quote(plain, safe=""), json.dumps(secret), repr(secret), base64.b64encode(plain).decode()):
        for text in (f"before {spelling} after", spelling):
            assert secret not in redact_text(text)
            assert base64.b64encode(plain).decode().rstrip("=") not in redact_text(text)


def test_a_short_known_secret_is_blanked_only_as_a_word() -> None:
    register_secret("zq7k")
    assert redact_text("pin zq7k, and zq7kx") == f"pin {BLANK}, and zq7kx"


def test_what_is_too_short_to_be_a_secret_spoils_no_text() -> None:
    for word in ("", "a", "no", "the"):
        register_secret(word)
    assert redact_text("no, the a") == "no, the a"


def test_a_known_secret_that_is_a_number_is_blanked_as_one() -> None:
    register_secret("83746152")
    assert redact({"tries": 3, "sent": 83746152}) == {"tries": 3, "sent": BLANK}


def test_models_dataclasses_and_bytes_are_read_by_their_fields() -> None:
    class Model(BaseModel):
        password: SecretStr
        url: str

    @dataclass
    class Row:
        token: str
        raw: bytes

    found = redact([Model(password=SecretStr("model-secret"), url="http://h"), Row("row-secret", b"\xff\x00ab")])
    assert found == [{"password": BLANK, "url": "http://h"}, {"token": BLANK, "raw": "\\xff\x00ab"}]


def test_personal_values_are_blanked_only_when_asked() -> None:
    facts = {"lat": 9.07, "deviceImei": "358899058314017", "speed_km_h": 40.0, "phone": "0803"}
    assert redact(facts) == facts
    assert redact(facts, personal=True) == {
        "lat": BLANK,
        "deviceImei": BLANK,
        "speed_km_h": 40.0,
        "phone": BLANK,
    }


@pytest.mark.parametrize(
    "piece", ["a-", "password", "token:", "token: ", "'token'=", 'password="\\', "://", "a://b:", "bearer ", "x"]
)
def test_the_work_grows_with_the_text_and_not_faster(piece: str) -> None:
    """A hostile reply of a megabyte must not stop the program; what grows with the square would take hours here."""
    assert len(redact_text(piece * (1_000_000 // len(piece)))) > 0


_json = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(_json)
def test_redacting_twice_changes_nothing_more(value: object) -> None:
    once = redact(value)
    assert redact(once) == once


def test_endless_nesting_ends() -> None:
    value: list[object] = []
    for _ in range(500):
        value = [value]
    assert "…" in json.dumps(redact(value), ensure_ascii=False)
