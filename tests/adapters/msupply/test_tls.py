"""Servers with a certificate of their own, as mSupply's usually are: pinned, or told with the fingerprint to pin."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from adapters.base import CheckStep, Layer
from adapters.errors import NotReady
from adapters.msupply.simulator import running
from app.kit import tls_context
from tests.adapters.msupply.support import Memory, adapter_for, pull, small_world
from tests.helpers.certificates import Certificate, make_certificate


def files(folder: Path, made: Certificate) -> tuple[str, str]:
    certificate, key = folder / "cert.pem", folder / "key.pem"
    certificate.write_bytes(made.certificate.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        made.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return str(certificate), str(key)


async def test_a_pinned_self_signed_server_is_checked_and_read(tmp_path: Path) -> None:
    made = make_certificate()
    tls = tls_context(made.fingerprint)
    async with running(small_world(), certificate=files(tmp_path, made)) as server:
        assert server.url.startswith("https://")
        async with adapter_for(server, tls=tls, fingerprint=made.fingerprint) as adapter:
            steps: list[CheckStep] = []
            await adapter.check(steps.append)
            assert "pinned certificate" in next(step.detail for step in steps if step.layer is Layer.TLS)
            memory = Memory()
            await pull(adapter, memory)
            server.account._tokens.clear()
            await adapter.client.call("Me")
        assert memory.of("shipment")
        assert server.account.renewals == 1, "the refresh cookie is a secure one and comes back over TLS"


async def test_an_unknown_certificate_shows_the_fingerprint_to_pin_and_gets_no_password(tmp_path: Path) -> None:
    made = make_certificate()
    async with running(small_world(), certificate=files(tmp_path, made)) as server:
        async with adapter_for(server, tls=tls_context("")) as adapter:
            with pytest.raises(NotReady, match="issued by nobody") as found:
                await adapter.check(lambda _: None)
        assert found.value.field == "fingerprint"
        assert found.value.proposal.replace(":", "").lower() == made.fingerprint.replace(":", "").lower()
        assert server.requests == 0


async def test_another_certificate_than_the_pinned_one_gets_nothing(tmp_path: Path) -> None:
    made, other = make_certificate(), make_certificate()
    async with running(small_world(), certificate=files(tmp_path, made)) as server:
        async with adapter_for(server, tls=tls_context(other.fingerprint), fingerprint=other.fingerprint) as adapter:
            with pytest.raises(NotReady, match="not the pinned one"):
                await adapter.check(lambda _: None)
        assert server.requests == 0
