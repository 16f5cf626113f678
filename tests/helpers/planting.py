"""Looking for planted secrets: in every spelling, in every file."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote


def spellings(secret: str) -> set[bytes]:
    """The ways in which a careless program would write a secret down."""
    texts = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    plain = secret.encode()
    return {text.encode() for text in texts} | {
        secret.encode("utf-16-le"),
        base64.b64encode(plain),
        plain.hex().encode(),
    }


def found_in(folder: Path, secrets: Iterable[str]) -> list[str]:
    """Where any spelling of a secret stands: file name and secret."""
    wanted = {secret: spellings(secret) for secret in secrets}
    finds = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file():
            continue
        content = path.read_bytes()
        if path.suffix == ".gz":
            content += gzip.decompress(content)
        finds += [f"{path.name}: {secret}" for secret, forms in wanted.items() for form in forms if form in content]
    return finds
