"""Messages that other systems push to a port of this computer, signed in the Standard Webhooks form.

A message is stored before it is answered, and understood afterwards by the operator's rules
(docs/integrations/webhook.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from pydantic import SecretStr

from adapters.base import Adapter, CheckStep, Identity, Inlet, Layer, Manifest, Settings, setting
from adapters.errors import SettingsInvalid


class WebhookSettings(Settings):
    """Where to listen, who may send, and what messages mean. Port 0 takes a free one."""

    host: str = setting(
        "Listen on address",
        "host",
        default="127.0.0.1",
        help="127.0.0.1 takes messages of this computer alone, as behind a reverse proxy. 0.0.0.0 listens on all "
        "addresses: use it with a certificate only.",
        example="127.0.0.1",
        min_length=1,
        max_length=253,
    )
    port: int = setting("Port", "port", default=8443, help="The sender must reach it.", ge=0, le=65535)
    path: str = setting(
        "Path",
        "text",
        default="/webhooks",
        help="The rest of the address that the sender posts to.",
        pattern=r"^/[A-Za-z0-9/_-]{0,100}$",
    )
    certificate_file: str = setting(
        "Certificate (PEM)",
        "file",
        default="",
        help="The chain that proves this computer to the sender. Without one, messages come over plain HTTP.",
        max_length=1000,
    )
    key_file: str = setting(
        "Its key (PEM)", "file", default="", help="The private key of the certificate.", max_length=1000
    )
    secret: SecretStr = setting(
        "Signing secret",
        "secret",
        help="As the sender shows it (whsec_…), or a text of at least 24 characters that both sides know.",
    )
    previous_secret: SecretStr | None = setting(
        "Previous signing secret",
        "secret",
        default=None,
        help="While senders change over, messages signed with it are taken too. Clear it when they have.",
    )
    rules: str = setting(
        "Rules file",
        "file",
        default="",
        help="What messages mean. Without rules they are stored, and wait.",
        max_length=1000,
    )
    most_kb: int = setting(
        "Longest message", "number", default=256, help="Longer ones are refused.", unit="kB", ge=1, le=10_000
    )
    per_minute: int = setting(
        "Messages per minute and sender", "number", default=600, help="More are told to come later.", ge=1, le=100_000
    )


class WebhookAdapter(Adapter[WebhookSettings]):
    """Listens; a check proves that secret, certificate, rules and port are usable."""

    manifest: ClassVar[Manifest] = Manifest(
        key="webhook",
        name="Webhook receiver",
        description="Systems that push what happened post it here, signed; it is stored before they are answered.",
        category="supply_chain",
        icon="inbox",
        capabilities=("Signed messages", "Key rotation", "Own mapping rules", "Replay"),
        settings=WebhookSettings,
        modes=frozenset({"listen"}),
        stale_after_s=0,
        translator="adapters.webhook.mapping:translator",
        rules="adapters.webhook.rulebook:RULES",
    )

    async def check(self, step: Callable[[CheckStep], None]) -> Identity:
        """Prove what can be proved without a sender. A port held by our own engine counts as taken."""
        from adapters.binding import resolve, try_binding
        from adapters.webhook.rules import read_rules

        settings = self.settings
        family, address = await resolve(settings.host)
        step(CheckStep(Layer.NAME, ok=True, detail=f"Messages are taken on {address}."))
        try_binding(family, address, settings.port, udp=False)
        step(CheckStep(Layer.ROUTE, ok=True, detail=f"Port {settings.port} is free."))
        secure = self._certificate() is not None
        if not secure and address not in ("127.0.0.1", "::1"):
            detail = "Without a certificate others can read messages on their way. Give one, or listen on 127.0.0.1."
        else:
            detail = "The certificate and its key fit." if secure else "Plain HTTP, for senders on this computer."
        step(CheckStep(Layer.TLS, ok=True, detail=detail))
        keys = self._keys()
        step(
            CheckStep(
                Layer.SIGN_IN, ok=True, detail=f"{len(keys)} signing secret{'s' if len(keys) > 1 else ''} in use."
            )
        )
        count = len(read_rules(settings.rules)) if settings.rules else 0
        rules = (
            f"{count} rule{'' if count == 1 else 's'} read." if count else "No rules: messages are stored, and wait."
        )
        step(CheckStep(Layer.PERMISSION, ok=True, detail=rules))
        where = f"{address}:{settings.port}{settings.path}"
        return Identity(unique_id=f"webhook:{where}", title=f"Webhooks at {where}")

    async def listen(self, inlet: Inlet) -> None:
        """Serve until cancelled. Raises NotReady or SettingsInvalid where the address cannot be bound."""
        import asyncio

        from adapters.binding import explained, resolve, while_running
        from adapters.serving import LoopServer, bound_socket
        from adapters.webhook.receiver import Receiver

        settings, certificate = self.settings, self._certificate()
        try:
            family, address = await resolve(settings.host)
            listener = bound_socket(family, address, settings.port)
        except SettingsInvalid as err:
            raise while_running(err) from err
        except OSError as err:
            raise while_running(explained(err, settings.host, settings.port)) from err
        receiver = Receiver(
            inlet,
            self.kit.clock,
            self.kit.log,
            self._keys(),
            path=settings.path,
            most_bytes=settings.most_kb * 1000,
            per_minute=settings.per_minute,
        )
        server = LoopServer(
            receiver,
            certificate=certificate,
            limit_concurrency=500,
            h11_max_incomplete_event_size=16_384,
            http="h11",
            timeout_keep_alive=30,
            timeout_graceful_shutdown=2,
        )
        self.port = listener.getsockname()[1]
        await server.start(listener)
        try:
            scheme = "https" if certificate else "http"
            inlet.connected(f"Messages are taken at {scheme}://{address}:{self.port}{settings.path}.")
            await asyncio.Event().wait()
        finally:
            await server.close()

    def _keys(self) -> list[bytes]:
        from adapters.signing import key_bytes

        keys = []
        for field in ("secret", "previous_secret"):
            secret: SecretStr | None = getattr(self.settings, field)
            if secret is None or not secret.get_secret_value():
                continue
            try:
                keys.append(key_bytes(secret.get_secret_value()))
            except ValueError as err:
                raise SettingsInvalid(field, f"This signing secret cannot be used: {err}.") from err
        if not keys:
            raise SettingsInvalid("secret", "A signing secret is needed: without one anybody could send anything.")
        return keys

    def _certificate(self) -> tuple[str, str] | None:
        """The two files, proved to fit. Raises SettingsInvalid."""
        import ssl

        certificate, key = self.settings.certificate_file, self.settings.key_file
        if not certificate and not key:
            return None
        if not (certificate and key):
            missing = "key_file" if certificate else "certificate_file"
            raise SettingsInvalid(
                missing, "A certificate needs its key, and a key its certificate. Give both, or none."
            )
        try:
            ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError) as err:
            raise SettingsInvalid(
                "certificate_file",
                f"Certificate and key cannot be used together: {err.strerror or err}. Both must be PEM.",
            ) from err
        return certificate, key
