"""What kind of file it is, by its first bytes: what a server or a name says about it counts for nothing."""

from __future__ import annotations

FORMAT_NAMES = {"jpeg": "JPEG", "png": "PNG", "webp": "WebP", "gif": "GIF", "heic": "HEIC"}
SUFFIXES = {"jpeg": ".jpg", "png": ".png", "webp": ".webp", "gif": ".gif", "heic": ".heic"}
HEAD_BYTES = 32
_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


def format_of(head: bytes) -> str:
    """A key of :data:`FORMAT_NAMES` for the first :data:`HEAD_BYTES` of a file, "" for what is no photo.

    JPEG: ITU T.81 B.1.1.3; PNG: ISO 15948 5.2; GIF: its specification, 17; WebP: RFC 9649 2.4; HEIC: ISO 23008-12.
    """
    if head.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if head.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if head.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "webp"
    if head[4:8] == b"ftyp" and head[8:12] in _HEIC_BRANDS:
        return "heic"
    return ""
