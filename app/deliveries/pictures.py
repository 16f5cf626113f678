"""Whether what is said to be a photo may be one: looked at before anybody opens it in a browser.

What a phone tells is untrusted text. It is handed to the operator's browser only where its address is one that others
can open and names no other kind of file. Fetching has rules of its own (:mod:`adapters.files`).
"""

from __future__ import annotations

from urllib.parse import urlsplit

_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".heic", ".heif", ".avif", ".bmp", ".tif", ".tiff")
MOST_CHARS = 2_000


def why_not_opened(url: str) -> str:
    """A sentence that says why an address is not offered to be opened, "" where it may be."""
    if not url:
        return "No address was told: the file is on the phone."
    if len(url) > MOST_CHARS or any(char.isspace() or ord(char) < 32 for char in url):
        return "What was told is no address."
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        return "What was told is no address."
    if parts.scheme in ("blob", "data", "file", "content", "capacitor", "indexeddb"):
        return f"The address ({parts.scheme}:) is one inside the phone, which nobody else can open."
    if parts.scheme not in ("http", "https") or not host:
        return "What was told is no address on the web."
    if parts.username is not None or parts.password is not None:
        return "The address carries a sign-in, so it is not opened from here."
    name = parts.path.rsplit("/", 1)[-1].lower()
    if "." in name and not name.endswith(_PICTURES):
        return f"The file “{name[-60:]}” is no photo by its name, so it is not opened from here."
    return ""
