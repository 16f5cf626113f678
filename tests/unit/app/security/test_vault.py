from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keyring
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError, PasswordSetError

from app.paths import Paths
from app.security.file_vault import FileVault, KeySource
from app.security.keyring_vault import KeyringVault, find_key_store
from app.security.redaction import redact_text
from app.security.vault import MemoryVault, Vault, VaultError, VaultLocked, open_vault

SECRET = "planted-vault-secret"


class StoreInMemory(KeyringBackend):
    """A key store as the keyring library wants one, with the faults of real ones."""

    priority = 5
    name = "Test key store"

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.kept: dict[tuple[str, str], str] = {}
        self.locked = False
        self.fails_on = ""

    def get_password(self, service: str, username: str) -> str | None:
        self._must_be_open()
        return self.kept.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self._must_be_open()
        if self.fails_on and username.endswith(self.fails_on):
            raise PasswordSetError("the entry is too long")
        self.kept[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        self._must_be_open()
        if self.kept.pop((service, username), None) is None:
            raise PasswordDeleteError("no such password")

    def _must_be_open(self) -> None:
        if self.locked:
            raise KeyringLocked("the collection is locked")


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    made = Paths(tmp_path / "data")
    made.create()
    return made


def own_key_vault(paths: Paths) -> FileVault:
    return FileVault(paths.vault_file, KeySource.of_own_key(paths.vault_key))


@pytest.fixture(params=["memory", "file", "keyring"])
def vault(request: pytest.FixtureRequest, paths: Paths) -> Vault:
    makers: dict[str, Callable[[], Vault]] = {
        "memory": MemoryVault,
        "file": lambda: own_key_vault(paths),
        "keyring": lambda: KeyringVault(StoreInMemory()),
    }
    return makers[request.param]()


def test_keeps_replaces_and_forgets_by_integration_and_field(vault: Vault) -> None:
    assert vault.get("one", "token") is None
    vault.set("one", "token", SECRET)
    vault.set("one", "password", "second-secret")
    vault.set("two", "token", "third-secret")
    vault.set("one", "token", "replaced-secret")
    assert vault.get("one", "token") == "replaced-secret"
    vault.delete("one")
    vault.delete("one")
    assert vault.get("one", "token") is None
    assert vault.get("one", "password") is None
    assert vault.get("two", "token") == "third-secret"


def test_what_passes_a_vault_is_blanked_in_texts(vault: Vault) -> None:
    vault.set("one", "token", "passes-the-vault-1")
    assert "passes-the-vault-1" not in redact_text("saw passes-the-vault-1")


def test_describes_itself_in_a_sentence(vault: Vault) -> None:
    assert vault.describe().startswith("Secrets are kept in")
    assert vault.describe().endswith(".")


def test_owners_are_listed_where_the_place_can(vault: Vault) -> None:
    vault.set("one", "token", SECRET)
    assert vault.owners() in (frozenset({"one"}), None)


class TestFile:
    def test_holds_no_secret_in_the_clear_and_only_its_owner_may_read(self, paths: Paths) -> None:
        own_key_vault(paths).set("one", "token", SECRET)
        assert SECRET.encode() not in paths.vault_file.read_bytes()
        assert paths.vault_file.stat().st_mode & 0o777 == 0o600
        assert paths.vault_key.stat().st_mode & 0o777 == 0o600

    def test_is_read_again_by_the_next_process(self, paths: Paths) -> None:
        own_key_vault(paths).set("one", "token", SECRET)
        assert own_key_vault(paths).get("one", "token") == SECRET

    def test_says_that_a_key_beside_it_protects_copies_only(self, paths: Paths) -> None:
        assert "not against whoever can read the data folder" in own_key_vault(paths).describe()

    def test_sees_the_changes_of_another_process(self, paths: Paths) -> None:
        ours, theirs = own_key_vault(paths), own_key_vault(paths)
        ours.set("one", "token", "from-us-1")
        assert theirs.get("one", "token") == "from-us-1"
        theirs.set("two", "token", "from-them-1")
        ours.set("one", "token", "from-us-2")
        assert (ours.get("two", "token"), theirs.get("one", "token")) == ("from-them-1", "from-us-2")

    def test_processes_that_write_at_once_lose_nothing(self, paths: Paths) -> None:
        program = (
            "import sys; from pathlib import Path; from app.paths import Paths;"
            "from app.security.file_vault import FileVault, KeySource; p = Paths(Path(sys.argv[1]));"
            "v = FileVault(p.vault_file, KeySource.of_own_key(p.vault_key));"
            "[v.set(sys.argv[2], f'field{n}', f'value-{sys.argv[2]}-{n}') for n in range(10)]"
        )
        own_key_vault(paths).set("zero", "field", "value-zero")
        command = [sys.executable, "-c", program, str(paths.data_dir)]
        running = [subprocess.Popen([*command, name]) for name in ("a", "b", "c")]
        assert [process.wait(60) for process in running] == [0, 0, 0]
        vault = own_key_vault(paths)
        assert [vault.get(name, f"field{n}") for name in "abc" for n in range(10)] == [
            f"value-{name}-{n}" for name in "abc" for n in range(10)
        ]

    def test_threads_that_write_at_once_lose_nothing(self, paths: Paths) -> None:
        vault = own_key_vault(paths)

        def keep(name: str) -> None:
            for number in range(10):
                vault.set(name, f"field{number}", f"value-{name}-{number}")

        threads = [threading.Thread(target=keep, args=(name,)) for name in "abc"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert all(vault.get(name, f"field{n}") == f"value-{name}-{n}" for name in "abc" for n in range(10))

    def test_a_wrong_passphrase_says_how_it_was_made(self, paths: Paths) -> None:
        FileVault(paths.vault_file, KeySource.of_passphrase("right")).set("one", "token", SECRET)
        with pytest.raises(VaultLocked, match="made with a passphrase: set it in BIKO_CONSOLE_VAULT_PASSPHRASE"):
            FileVault(paths.vault_file, KeySource.of_passphrase("wrong"))
        with pytest.raises(VaultLocked, match="key to the saved secrets is missing"):
            own_key_vault(paths)

    @pytest.mark.parametrize("passphrase", [" with blanks ", "pässe", "\udcff\udcfe bytes of no encoding"])
    def test_every_passphrase_the_environment_can_hold_opens_it(self, paths: Paths, passphrase: str) -> None:
        environment = {"BIKO_CONSOLE_VAULT_PASSPHRASE": passphrase}
        open_vault(paths, environment=environment).set("one", "token", SECRET)
        assert open_vault(paths, environment=environment).get("one", "token") == SECRET

    def test_a_key_file_opens_it(self, paths: Paths, tmp_path: Path) -> None:
        key_file = tmp_path / "depot.key"
        key_file.write_text("a long enough key file\n", encoding="utf-8")
        open_vault(paths, key_file=key_file, environment={}).set("one", "token", SECRET)
        assert open_vault(paths, key_file=key_file, environment={}).get("one", "token") == SECRET
        with pytest.raises(VaultLocked, match="name that file with --vault-key-file"):
            open_vault(paths, environment={"BIKO_CONSOLE_VAULT_PASSPHRASE": "no"})

    @pytest.mark.parametrize(("content", "words"), [(None, "is missing"), (b"short", "too short")])
    def test_an_unusable_key_file_is_explained(
        self, paths: Paths, tmp_path: Path, content: bytes | None, words: str
    ) -> None:
        if content is not None:
            (tmp_path / "depot.key").write_bytes(content)
        vault = open_vault(paths, key_file=tmp_path / "depot.key", environment={})
        with pytest.raises(VaultLocked, match=words):
            vault.set("one", "token", SECRET)
        assert not paths.vault_file.exists()

    def test_a_lost_key_is_not_silently_replaced(self, paths: Paths) -> None:
        own_key_vault(paths).set("one", "token", SECRET)
        paths.vault_key.unlink()
        with pytest.raises(VaultLocked, match="key to the saved secrets is missing"):
            own_key_vault(paths)
        assert not paths.vault_key.exists()

    def test_every_damage_is_explained_and_nothing_is_overwritten(self, paths: Paths) -> None:
        own_key_vault(paths).set("one", "token", SECRET)
        good = paths.vault_file.read_bytes()
        facts = json.loads(good)
        huge = {**facts, "scrypt": [2**40, 8, 1]}
        spoiled = [
            b"",
            b"[]",
            b"\xff\xfe",
            good[: len(good) // 2],
            json.dumps({**facts, "salt": "!"}).encode(),
            json.dumps({**facts, "nonce": ""}).encode(),
            json.dumps({**facts, "secrets": facts["secrets"][:-8] + "AAAAAAA="}).encode(),
            json.dumps({**facts, "key_from": "passphrase"}).encode(),
            json.dumps(huge).encode(),
            json.dumps({**facts, "scrypt": [2**20, 16, 16]}).encode(),
            json.dumps({**facts, "scrypt": [0, 0, 0]}).encode(),
            b"[" * 100_000,
            json.dumps({**facts, "scrypt": [2**12 + 1, 8, 1]}).encode(),
        ]
        for content in spoiled:
            paths.vault_file.write_bytes(content)
            with pytest.raises(VaultError, match=r"secrets file .* (is damaged|cannot be opened)"):
                own_key_vault(paths)
            assert paths.vault_file.read_bytes() == content
        paths.vault_file.write_bytes(good)
        assert own_key_vault(paths).get("one", "token") == SECRET

    @settings(max_examples=60, deadline=None)
    @given(where=st.integers(0, 2_000), bit=st.integers(0, 7))
    def test_any_flipped_bit_is_noticed_or_harmless(
        self, where: int, bit: int, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        paths = Paths(tmp_path_factory.getbasetemp() / "flipped")
        paths.create()
        if not paths.vault_file.exists():
            own_key_vault(paths).set("one", "token", SECRET)
        good = paths.vault_file.read_bytes()
        bad = bytearray(good)
        bad[where % len(bad)] ^= 1 << bit
        try:
            paths.vault_file.write_bytes(bytes(bad))
            found = own_key_vault(paths).get("one", "token")
        except VaultError:
            found = SECRET
        finally:
            paths.vault_file.write_bytes(good)
        assert found == SECRET

    def test_a_folder_that_cannot_be_written_keeps_the_old_secrets(
        self, paths: Paths, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        vault = own_key_vault(paths)
        vault.set("one", "token", SECRET)

        def full(_descriptor: int) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr("app.platform.sync_file", full)
        with pytest.raises(VaultError, match="No space left on device"):
            vault.set("one", "token", "newer-secret-1")
        assert vault.get("one", "token") == SECRET
        assert [path.name for path in paths.data_dir.iterdir() if "vault.enc." in path.name] == ["vault.enc.lock"]


class TestKeyStore:
    def test_a_locked_one_says_how_to_go_on(self) -> None:
        backend = StoreInMemory()
        vault = KeyringVault(backend)
        vault.set("one", "token", SECRET)
        backend.locked = True
        with pytest.raises(VaultLocked, match=r"Test key store.* is locked.*Unlock it"):
            vault.get("one", "token")
        with pytest.raises(VaultLocked):
            vault.set("one", "token", "x")
        with pytest.raises(VaultLocked):
            vault.delete("one")

    def test_one_that_refuses_is_explained(self) -> None:
        backend = StoreInMemory()
        backend.fails_on = "/token"
        with pytest.raises(VaultError, match="would not keep a secret: the entry is too long"):
            KeyringVault(backend).set("one", "token", SECRET)

    def test_one_whose_system_fails_is_explained_like_any_other(self) -> None:
        """Backends let the errors of D-Bus or Windows through; those must not look like a defect of ours."""

        class Broken(StoreInMemory):
            def _must_be_open(self) -> None:
                raise RuntimeError("org.freedesktop.DBus.Error.NoReply")

        vault = KeyringVault(Broken())
        act: Callable[[], object]
        for act in (lambda: vault.get("a", "b"), lambda: vault.set("a", "b", SECRET), lambda: vault.delete("a")):
            with pytest.raises(VaultError, match=r"does not answer \(RuntimeError\)\. Check that it runs"):
                act()

    def test_nothing_is_left_in_it_after_forgetting(self) -> None:
        backend = StoreInMemory()
        vault = KeyringVault(backend)
        vault.set("one", "token", SECRET)
        vault.set("one", "password", SECRET)
        vault.delete("one")
        assert backend.kept == {}

    def test_entries_are_named_by_service_integration_and_field(self) -> None:
        backend = StoreInMemory()
        KeyringVault(backend).set("one", "token", SECRET)
        assert backend.kept["biko-console", "one/token"] == SECRET


@pytest.fixture
def key_store() -> Any:
    before = keyring.get_keyring()
    backend = StoreInMemory()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


def test_the_systems_key_store_is_used_where_there_is_one(paths: Paths, key_store: StoreInMemory) -> None:
    vault = open_vault(paths, environment={})
    vault.set("one", "token", SECRET)
    assert isinstance(vault, KeyringVault)
    assert not paths.vault_file.exists()


def test_a_locked_key_store_is_not_silently_replaced_by_a_file(paths: Paths, key_store: StoreInMemory) -> None:
    key_store.locked = True
    with pytest.raises(VaultLocked):
        open_vault(paths, environment={})


def test_the_demo_never_touches_the_systems_key_store(paths: Paths, key_store: StoreInMemory) -> None:
    key_store.locked = True
    assert isinstance(open_vault(paths, file_only=True, environment={}), FileVault)


def test_an_existing_file_is_found_by_every_process(paths: Paths, key_store: StoreInMemory) -> None:
    own_key_vault(paths).set("one", "token", SECRET)
    assert open_vault(paths, environment={}).get("one", "token") == SECRET


@pytest.mark.parametrize("name", ["keyring.backends.fail", "keyring.backends.null"])
def test_key_stores_that_keep_nothing_are_not_used(paths: Paths, key_store: StoreInMemory, name: str) -> None:
    unreal = __import__(name, fromlist=["Keyring"]).Keyring()
    keyring.set_keyring(unreal)
    assert find_key_store() is None
    assert isinstance(open_vault(paths, environment={}), FileVault)
