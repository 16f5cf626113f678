"""Every place the program keeps something, under one root that ``--data-dir`` overrides."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from app import platform
from app.errors import OperatorError

APPLICATION = "biko-console"


def without_home(text: str) -> str:
    """``text`` with “~” for this user's own folder, whose name is the account's."""
    home = str(Path.home())
    if len(home) <= len(Path.home().anchor):  # an account without a folder of its own
        return text
    ways = dict.fromkeys(
        (home, home.replace("\\", "\\\\"), home.replace("\\", "/"))
    )  # as written, quoted, in addresses
    return re.sub(f"(?:{'|'.join(map(re.escape, ways))})(?![\\w-])", "~", text)


class FolderRefused(OperatorError):
    """The system does not let this user have the data folder."""


@dataclass(frozen=True, slots=True)
class Paths:
    """The files and folders below one data folder; nothing is created until :meth:`create`."""

    data_dir: Path

    @classmethod
    def of_user(cls) -> Paths:
        """The data folder of the user who runs the program, where the system wants it."""
        return cls(Path(platformdirs.user_data_dir(APPLICATION, appauthor=False, roaming=False)))

    @classmethod
    def of_demo(cls) -> Paths:
        """The demo's own data folder, beside the real one and never inside it."""
        return cls(Path(platformdirs.user_data_dir(f"{APPLICATION}-demo", appauthor=False, roaming=False)))

    def create(self) -> None:
        """Make the folders, readable by their owner alone. Raises FolderRefused when the system refuses."""
        for folder in (self.data_dir, self.logs, self.backups):
            try:
                folder.mkdir(parents=True, exist_ok=True)
                platform.make_private(folder)
            except OSError as err:
                raise FolderRefused(
                    f"The folder {folder} cannot be used for the program's data: {err.strerror or err}. Give this user "
                    "the right to make and write it, or name another folder with --data-dir."
                ) from err

    @property
    def store_file(self) -> Path:
        return self.data_dir / "store.sqlite"

    @property
    def store_url(self) -> str:
        """SQLAlchemy's URL of the default store."""
        return f"sqlite:///{self.store_file.as_posix()}"

    @property
    def engine_lock(self) -> Path:
        return self.data_dir / "engine.lock"

    @property
    def engine_json(self) -> Path:
        return self.data_dir / "engine.json"

    @property
    def logs(self) -> Path:
        return self.data_dir / "logs"

    @property
    def backups(self) -> Path:
        return self.data_dir / "backups"

    @property
    def checkpoints(self) -> Path:
        """Where the checkpoints of the record of acts are kept, apart from the store."""
        return self.data_dir / "checkpoints"

    @property
    def proof_files(self) -> Path:
        """Photos and signatures of proofs, named by their SHA-256."""
        return self.data_dir / "proof-files"

    @property
    def vault_file(self) -> Path:
        return self.data_dir / "vault.enc"

    @property
    def vault_key(self) -> Path:
        return self.data_dir / "vault.key"

    @property
    def preferences(self) -> Path:
        return self.data_dir / "preferences.json"

    @property
    def window_state(self) -> Path:
        """Sizes, positions and column order of the window; losing it costs nothing but habits."""
        return self.data_dir / "window.json"

    @property
    def layers(self) -> Path:
        """Where an operator's own map layers (MBTiles, GeoJSON) are looked for."""
        return self.data_dir / "layers"
