"""TLS with a pinned certificate: trusted is what carries the pinned SHA-256 fingerprint, or was issued by it.

A pinned leaf is trusted as it stands, dates and names included: the operator compared it. A pinned private CA must
be among the certificates that the peer sends; then each link of the chain, the leaf's dates and its name are verified.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import re
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from adapters.errors import SettingsInvalid

_DIGITS = 64
_LONGEST_CHAIN = 8
_EXPIRED, _NOT_YET_VALID, _WRONG_NAME = 10, 9, 62  # X509_V_ERR_… of OpenSSL's x509_vfy.h


class CertificateChanged(ssl.SSLCertVerificationError):
    """The peer presents another certificate than the pinned one; the text shows both fingerprints."""


def parse_fingerprint(text: str) -> bytes:
    """The 32 bytes of a SHA-256 fingerprint, with or without colons, blanks and ``SHA256:`` before it.

    Raises SettingsInvalid for the field ``fingerprint``.
    """
    bare = re.sub(r"^\s*sha-?256\s*(?:fingerprint)?\s*[:=]\s*", "", text, flags=re.IGNORECASE)
    digits = re.sub(r"[\s:\-]", "", bare)
    if len(digits) != _DIGITS or re.fullmatch(r"[0-9a-fA-F]*", digits) is None:
        raise SettingsInvalid(
            "fingerprint",
            "The fingerprint must be the SHA-256 one: 64 digits 0-9 and a-f, with or without colons between the pairs.",
        )
    return bytes.fromhex(digits)


def show_fingerprint(digest: bytes) -> str:
    """In pairs with colons, as certificate viewers show it."""
    return digest.hex(":").upper()


def pinned_context(fingerprint: str) -> ssl.SSLContext:
    """A client's context that trusts the pinned certificate and nothing else. Raises SettingsInvalid."""
    pin = parse_fingerprint(fingerprint)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.check_hostname = False  # the pin decides, after the handshake and before a byte of ours is sent
    context.verify_mode = ssl.CERT_NONE

    class PinnedObject(ssl.SSLObject):
        """The connection of asyncio, uvloop and anyio; all of them call ``do_handshake``."""

        def do_handshake(self) -> None:
            super().do_handshake()
            verify_pin(pin, _chain_of(self), self.server_hostname)

    class PinnedSocket(ssl.SSLSocket):
        def do_handshake(self, block: bool = False) -> None:
            super().do_handshake(block)
            verify_pin(pin, _chain_of(self), self.server_hostname)

    context.sslobject_class = PinnedObject
    context.sslsocket_class = PinnedSocket
    return context


def verify_pin(pin: bytes, chain: Sequence[bytes], host: str | None) -> None:
    """Raises CertificateChanged unless the leaf is pinned or rightly issued below the pinned certificate.

    ``chain`` is what the peer sent, DER, leaf first.
    """
    if not chain:
        raise _refusal("The peer shows no certificate.", 0)
    if _is_pinned(chain[0], pin):
        return
    if not any(_is_pinned(der, pin) for der in chain):
        raise _refusal(
            f"The peer presents {show_fingerprint(hashlib.sha256(chain[0]).digest())}, "
            f"pinned is {show_fingerprint(pin)}.",
            0,
        )
    try:
        certificates = [x509.load_der_x509_certificate(der) for der in chain[:_LONGEST_CHAIN]]
        _verify_chain(certificates, pin)
        _verify_dates(certificates[0])
        _verify_name(certificates[0], host)
    except CertificateChanged:
        raise
    except (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension) as err:
        raise _refusal(f"The peer's certificate cannot be read: {err}.", 0) from err


def _verify_chain(certificates: Sequence[x509.Certificate], pin: bytes) -> None:
    """From the leaf upwards until the pinned certificate; every step is a signature of an authority."""
    current, rest = certificates[0], list(certificates[1:])
    while not hmac.compare_digest(_digest(current), pin):
        issuer = next((candidate for candidate in rest if _issued(candidate, current)), None)
        if issuer is None:
            raise _refusal("The peer's certificate was not issued by the pinned authority.", 0)
        rest.remove(issuer)
        current = issuer


def _issued(issuer: x509.Certificate, subject: x509.Certificate) -> bool:
    try:
        constraints = issuer.extensions.get_extension_for_class(x509.BasicConstraints).value
        subject.verify_directly_issued_by(issuer)
    except (x509.ExtensionNotFound, ValueError, TypeError, InvalidSignature):
        return False
    return constraints.ca


def _verify_dates(leaf: x509.Certificate) -> None:
    now = datetime.now(UTC)
    if now > leaf.not_valid_after_utc:
        raise _refusal(f"The peer's certificate expired on {leaf.not_valid_after_utc:%Y-%m-%d}.", _EXPIRED)
    if now < leaf.not_valid_before_utc:
        raise _refusal(f"The peer's certificate is valid from {leaf.not_valid_before_utc:%Y-%m-%d} on.", _NOT_YET_VALID)


def _verify_name(leaf: x509.Certificate, host: str | None) -> None:
    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        raise _refusal("The peer's certificate names no host.", _WRONG_NAME) from None
    wanted = (host or "").rstrip(".").lower()
    try:
        found = ipaddress.ip_address(wanted) in names.get_values_for_type(x509.IPAddress)
    except ValueError:
        found = any(_names(pattern.lower(), wanted) for pattern in names.get_values_for_type(x509.DNSName))
    if not found:
        raise _refusal(f"The peer's certificate was made for another host than {host}.", _WRONG_NAME)


def _names(pattern: str, host: str) -> bool:
    """RFC 6125, 6.4: a star stands for exactly the leftmost label."""
    if pattern.startswith("*."):
        return "." in host and host.split(".", 1)[1] == pattern[2:]
    return pattern == host


def _is_pinned(der: bytes, pin: bytes) -> bool:
    return hmac.compare_digest(hashlib.sha256(der).digest(), pin)


def _digest(certificate: x509.Certificate) -> bytes:
    from cryptography.hazmat.primitives.hashes import SHA256

    return certificate.fingerprint(SHA256())


def _chain_of(connection: ssl.SSLObject | ssl.SSLSocket) -> list[bytes]:
    """What the peer sent. Public since Python 3.13; before that the same call is on the inner object."""
    public: Any = getattr(connection, "get_unverified_chain", None)
    if public is not None:
        return list(public())
    inner: Any = getattr(connection, "_sslobj", None)
    if inner is not None and hasattr(inner, "get_unverified_chain"):
        encoding_der = 2  # _ssl.ENCODING_DER
        return [bytes(certificate.public_bytes(encoding_der)) for certificate in inner.get_unverified_chain() or ()]
    leaf = connection.getpeercert(binary_form=True)
    return [leaf] if leaf else []


def _refusal(why: str, code: int) -> CertificateChanged:
    error = CertificateChanged(1, why)
    error.verify_code = code
    error.verify_message = why.rstrip(".")
    return error
