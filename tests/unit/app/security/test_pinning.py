from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.errors import SettingsInvalid
from app.security.pinning import CertificateChanged, parse_fingerprint, show_fingerprint, verify_pin
from tests.helpers.certificates import Certificate, make_certificate

ROOT = make_certificate("Depot authority", authority=True, hosts=())
MIDDLE = make_certificate("Depot servers", issuer=ROOT, authority=True, hosts=())
LEAF = make_certificate("gps", issuer=MIDDLE, hosts=("gps.depot.example", "*.trackers.example", "10.1.2.3"))
LONE = make_certificate("lone", hosts=())


def pin_of(certificate: Certificate) -> bytes:
    return bytes.fromhex(certificate.fingerprint)


@pytest.mark.parametrize("form", ["{}", "  {}\n", "SHA256:{}", "sha-256 fingerprint={}", "SHA256 Fingerprint={}"])
def test_fingerprints_are_read_as_people_paste_them(form: str) -> None:
    digest = pin_of(LONE)
    for text in (digest.hex(), digest.hex().upper(), show_fingerprint(digest), digest.hex(" ")):
        assert parse_fingerprint(form.format(text)) == digest


@pytest.mark.parametrize("text", ["", "abc", "g" * 64, "a" * 63, "a" * 65, "AB:" * 20, "é" * 64])
def test_other_texts_name_the_field(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="SHA-256") as found:
        parse_fingerprint(text)
    assert found.value.field == "fingerprint"


@settings(deadline=None)
@given(st.text(max_size=120))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(SettingsInvalid):
        assert len(parse_fingerprint(text)) == 32


@pytest.mark.parametrize("pinned", [LEAF, MIDDLE, ROOT])
def test_the_leaf_or_any_authority_above_it_may_be_pinned(pinned: Certificate) -> None:
    verify_pin(pin_of(pinned), LEAF.sent, "gps.depot.example")


@pytest.mark.parametrize("host", ["truck.trackers.example", "TRUCK.Trackers.Example", "10.1.2.3", "gps.depot.example."])
def test_names_and_addresses_of_the_leaf_count(host: str) -> None:
    verify_pin(pin_of(ROOT), LEAF.sent, host)


@pytest.mark.parametrize("host", ["other.example", "a.b.trackers.example", "trackers.example", "10.1.2.4", "", None])
def test_below_a_pinned_authority_the_name_must_fit(host: str | None) -> None:
    with pytest.raises(CertificateChanged, match="another host"):
        verify_pin(pin_of(ROOT), LEAF.sent, host)


def test_a_pinned_leaf_is_trusted_as_it_stands() -> None:
    expired = make_certificate(age_days=90, hosts=())
    verify_pin(pin_of(expired), expired.sent, "anything.example")


def test_below_a_pinned_authority_the_dates_must_fit() -> None:
    expired = make_certificate(issuer=ROOT, age_days=90)
    future = make_certificate(issuer=ROOT, age_days=-5)
    with pytest.raises(CertificateChanged, match="expired on"):
        verify_pin(pin_of(ROOT), expired.sent, "localhost")
    with pytest.raises(CertificateChanged, match="is valid from"):
        verify_pin(pin_of(ROOT), future.sent, "localhost")


def test_another_certificate_shows_both_fingerprints() -> None:
    with pytest.raises(CertificateChanged) as found:
        verify_pin(pin_of(LONE), LEAF.sent, "gps.depot.example")
    assert show_fingerprint(pin_of(LONE)) in str(found.value)
    assert show_fingerprint(pin_of(LEAF)) in str(found.value)


def test_sending_the_pinned_authority_along_proves_nothing() -> None:
    """Certificates are public: anybody can send the depot's authority after a leaf of his own."""
    forged = make_certificate("gps", hosts=("gps.depot.example",))
    with pytest.raises(CertificateChanged, match="not issued by the pinned authority"):
        verify_pin(pin_of(ROOT), [forged.der, MIDDLE.der, ROOT.der], "gps.depot.example")


def test_a_leaf_that_the_authority_issued_cannot_issue_others() -> None:
    forged = make_certificate("evil", issuer=LEAF, hosts=("gps.depot.example",))
    with pytest.raises(CertificateChanged, match="not issued by the pinned authority"):
        verify_pin(pin_of(ROOT), forged.sent, "gps.depot.example")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=40), max_size=4))
def test_garbage_is_refused(chain: list[bytes]) -> None:
    with pytest.raises(CertificateChanged):
        verify_pin(pin_of(ROOT), [*chain, ROOT.der] if chain else [], "localhost")
