#!/usr/bin/env python3
"""Verify an evidence pack without the program that made it: Python 3.9 or later, nothing to install.

    python3 verify_evidence.py PACK.zip [--manifest-hash HASH]

Names every file that was changed, removed or added since the pack was made. With the hash that was written down when it
was made, a pack that was rewritten whole is found as well. Exit status: 0 it holds, 1 it does not, 2 it cannot be read.
"""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
import zlib

MANIFEST = "MANIFEST.json"
FORM = "biko-evidence-1"
PIECE = 1 << 20


def digest(pack: zipfile.ZipFile, name: str) -> str:
    """SHA-256 of one file in the pack, "" for one whose bytes are damaged."""
    found = hashlib.sha256()
    try:
        with pack.open(name) as file:
            while piece := file.read(PIECE):
                found.update(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError):
        return ""
    return found.hexdigest()


def faults(path: str, wanted_hash: str = "") -> list[str]:
    """Sentences on what is not as it was made, none where the pack holds. Raises OSError, ValueError, KeyError."""
    with zipfile.ZipFile(path) as pack:
        names = [one.filename for one in pack.infolist()]
        found = [f"{name} is in the pack twice." for name in sorted(set(names)) if names.count(name) > 1]
        raw = pack.read(MANIFEST)
        if wanted_hash and hashlib.sha256(raw).hexdigest() != wanted_hash.strip().lower():
            found.append(f"{MANIFEST} is not the one whose hash was written down: the pack was made anew or changed.")
        manifest = json.loads(raw)
        if not isinstance(manifest, dict) or manifest.get("form") != FORM:
            raise ValueError(f"{MANIFEST} is not of the form {FORM}")
        listed = manifest["files"]
        for name in sorted(listed):
            if name not in names:
                found.append(f"{name} was removed.")
            elif digest(pack, name) != listed[name]["sha256"]:
                found.append(f"{name} was changed.")
        found += [f"{name} was added." for name in sorted(set(names) - set(listed) - {MANIFEST})]
        return found


def main(arguments: list[str]) -> int:
    """The command line; returns the exit status."""
    wanted = ""
    if "--manifest-hash" in arguments:
        at = arguments.index("--manifest-hash")
        wanted = "".join(arguments[at + 1 : at + 2])
        arguments = arguments[:at] + arguments[at + 2 :]
    if len(arguments) != 1:
        sys.stderr.write(f"{__doc__}\n")
        return 2
    try:
        found = faults(arguments[0], wanted)
    except KeyError:
        sys.stderr.write("This is no evidence pack: it holds no list of its files.\n")
        return 2
    except (OSError, ValueError, zipfile.BadZipFile, TypeError) as err:
        sys.stderr.write(f"The pack cannot be read: {err}.\n")
        return 2
    for sentence in found:
        sys.stdout.write(f"{sentence}\n")
    sys.stdout.write("The pack does NOT hold.\n" if found else "The pack holds: every file is as it was made.\n")
    return 1 if found else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
