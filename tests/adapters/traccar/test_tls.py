"""Encrypted servers: certificates that hold, and what each that does not is told as."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from adapters.base import CheckStep, Layer
from adapters.connect import format_fingerprint
from adapters.errors import AdapterError, NotReady
from adapters.traccar.simulator import running
from adapters.traccar.simulator_world import World
from app.kit import tls_context
from tests.adapters.traccar.support import HOUR_MS, START_MS, Memory, TestInlet, adapter_for, listening, pull

NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    path: str
    key_path: str
    fingerprint: str

    @property
    def files(self) -> tuple[str, str]:
        return self.path, self.key_path


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Certificate]:
    def certificate(
        name: str = "127.0.0.1", begins: datetime.datetime = NOW - DAY, ends: datetime.datetime = NOW + DAY
    ) -> Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Depot GPS")])
        known = x509.IPAddress(ipaddress.ip_address(name)) if name[0].isdigit() else x509.DNSName(name)
        made = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
            .add_extension(x509.SubjectAlternativeName([known]), critical=False)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(key, hashes.SHA256())
        )
        number = len(list(tmp_path.iterdir()))
        path, key_path = tmp_path / f"{number}.pem", tmp_path / f"{number}.key"
        path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
        key_path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return Certificate(str(path), str(key_path), format_fingerprint(made.fingerprint(hashes.SHA256()).hex()))

    return certificate


def world() -> World:
    made = World(vehicles=2, interval_s=60, start_ms=START_MS - HOUR_MS)
    made.advance(START_MS)
    return made


async def checked(certificate: Certificate, tls: ssl.SSLContext, pinned: str = "") -> list[CheckStep]:
    steps: list[CheckStep] = []
    async with (
        running(world(), certificate=certificate.files) as server,
        adapter_for(server, tls=tls, fingerprint=pinned) as adapter,
    ):
        await adapter.check(steps.append)
    return steps


async def refused(certificate: Certificate, tls: ssl.SSLContext, pinned: str = "") -> AdapterError:
    with pytest.raises(AdapterError) as failed:
        await checked(certificate, tls, pinned)
    return failed.value


def trusting(certificate: Certificate) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificate.path)


async def test_pinned_certificate_carries_requests_and_the_live_socket(make: Callable[..., Certificate]) -> None:
    certificate = make()
    steps = await checked(certificate, tls_context(certificate.fingerprint), certificate.fingerprint)
    assert [step.layer for step in steps] == list(Layer)
    assert "pinned certificate" in steps[2].detail
    async with (
        running(world(), certificate=certificate.files) as server,
        adapter_for(server, tls=tls_context(certificate.fingerprint)) as adapter,
    ):
        inlet = TestInlet(Memory())
        async with listening(adapter, inlet):
            await inlet.until(lambda: inlet.greetings and inlet.memory.positions)


async def test_unknown_issuer_shows_the_fingerprint_to_pin(make: Callable[..., Certificate]) -> None:
    certificate = make()
    error = await refused(certificate, tls_context(""))
    assert isinstance(error, NotReady)
    assert error.field == "fingerprint"
    assert error.proposal == certificate.fingerprint
    assert certificate.fingerprint in error.why


async def test_changed_certificate_is_not_the_pinned_one(make: Callable[..., Certificate]) -> None:
    old, new = make(), make()
    error = await refused(new, tls_context(old.fingerprint), old.fingerprint)
    assert isinstance(error, NotReady)
    assert error.proposal == new.fingerprint
    assert "not the pinned one" in error.why
    assert new.fingerprint in error.why


async def test_dates_and_names_are_told_apart(make: Callable[..., Certificate]) -> None:
    for certificate, words in (
        (make(begins=NOW - 9 * DAY, ends=NOW - DAY), "has expired"),
        (make(begins=NOW + DAY, ends=NOW + 9 * DAY), "not yet valid"),
        (make(name="gps.example.org"), "another host name"),
    ):
        error = await refused(certificate, trusting(certificate))
        assert isinstance(error, NotReady)
        assert words in error.why


async def test_while_running_a_wrong_certificate_is_an_outage(make: Callable[..., Certificate]) -> None:
    """A hotspot's sign-in page causes it too: the integration must come back by itself."""
    old, new = make(), make()
    async with (
        running(world(), certificate=new.files) as server,
        adapter_for(server, tls=tls_context(old.fingerprint)) as adapter,
    ):
        with pytest.raises(NotReady, match=r"not the pinned one.* Press Test"):
            await pull(adapter, Memory())
        with pytest.raises(NotReady, match=r"not the pinned one.* Press Test"):
            await adapter.listen(TestInlet(Memory()))


async def test_plain_port_does_not_complete_encryption() -> None:
    steps: list[CheckStep] = []
    async with running(world()) as server, adapter_for(server, url=f"https://127.0.0.1:{server.port}") as adapter:
        with pytest.raises(NotReady, match="does not complete encryption"):
            await adapter.check(steps.append)
    assert [step.layer for step in steps] == [Layer.NAME, Layer.ROUTE]
