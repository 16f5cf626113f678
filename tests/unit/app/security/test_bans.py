"""What must stand nowhere in the program, because there is no safe use of it here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[4]
FOLDERS = ("adapters", "app", "widgets", "dialogs", "resources")

BANS: dict[str, tuple[str, frozenset[str]]] = {
    "unverified TLS": (
        r"verify\s*=\s*False|CERT_NONE|CERT_OPTIONAL|check_hostname\s*=\s*False|_create_unverified_context",
        # The pin is verified by our own handshake; the others only read what is shown, and send nothing.
        frozenset({"app/security/pinning.py", "adapters/connect.py", "adapters/mod4/line.py", "app/mail/smtp.py"}),
    ),
    "redirects that are followed": (r"follow_redirects\s*=\s*True", frozenset()),
    "a shell": (r"shell\s*=\s*True|os\.system\(|os\.popen\(", frozenset()),
    "code from data": (
        r"\b(?:pickle|marshal)\b|^import shelve\b|\bshelve\.open\(|(?<![\w.])(?:eval|exec)\((?!\))|yaml\.load\(",
        frozenset(),
    ),
    "XML and archives from outside": (
        r"import (?:xml|lxml|zipfile|tarfile)|from (?:xml|zipfile|tarfile)",
        frozenset(
            {
                "app/fuel/table_files.py",  # tank tables of makers; declarations of entities are refused before
                "app/deliveries/evidence_pack.py",  # writes packs
                "app/deliveries/verify_evidence.py",  # reads their files one by one, extracts nothing
                "app/commands/deliveries.py",  # the same, by command
            }
        ),
    ),
    "weak randomness for secrets": (r"random\.(?:choice|randint|getrandbits)\(", frozenset()),
}


def sources() -> list[Path]:
    found = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    return [ROOT / "main.py", *found]


@pytest.mark.parametrize("what", BANS)
def test_it_stands_nowhere(what: str) -> None:
    pattern, allowed = BANS[what]
    finds = [
        f"{path.relative_to(ROOT).as_posix()}:{number}: {line.strip()}"
        for path in sources()
        if path.relative_to(ROOT).as_posix() not in allowed and "simulator" not in path.name
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if re.search(pattern, line)
    ]
    assert finds == []


def test_what_is_allowed_is_still_needed() -> None:
    for pattern, allowed in BANS.values():
        assert all(re.search(pattern, (ROOT / name).read_text(encoding="utf-8")) for name in allowed)
