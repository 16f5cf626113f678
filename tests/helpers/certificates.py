"""Certificates for tests: a private authority, what it issues, and what signs itself."""

from __future__ import annotations

import hashlib
import ipaddress
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate with its key, and those that a server sends after it."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    chain: tuple[x509.Certificate, ...] = ()

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def fingerprint(self) -> str:
        """SHA-256, 64 digits without colons."""
        return hashlib.sha256(self.der).hexdigest()

    @property
    def sent(self) -> list[bytes]:
        return [self.der, *(item.public_bytes(Encoding.DER) for item in self.chain)]

    def server_context(self, folder: Path) -> ssl.SSLContext:
        """A server's TLS context that shows this certificate and its chain."""
        file = folder / f"{self.fingerprint[:16]}.pem"
        key = self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        certificates = [self.certificate, *self.chain]
        file.write_bytes(key + b"".join(item.public_bytes(Encoding.PEM) for item in certificates))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(file)
        return context


def make_certificate(
    name: str = "peer",
    *,
    issuer: Certificate | None = None,
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost"),
    authority: bool = False,
    age_days: int = 1,
    valid_days: int = 30,
) -> Certificate:
    """A certificate issued by ``issuer``, or by itself; its chain is the issuer and the issuer's chain."""
    key = ec.generate_private_key(ec.SECP256R1())
    start = datetime.now(UTC) - timedelta(days=age_days)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=valid_days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if hosts:
        builder = builder.add_extension(x509.SubjectAlternativeName([_name(host) for host in hosts]), critical=False)
    certificate = builder.sign(issuer.key if issuer else key, SHA256())
    return Certificate(certificate, key, (issuer.certificate, *issuer.chain) if issuer else ())


def _name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
