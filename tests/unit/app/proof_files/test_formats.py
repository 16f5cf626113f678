"""What a file is, by its first bytes; and words for how much of it has come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.mod4.simulator import pictures
from app.proof_files.formats import FORMAT_NAMES, HEAD_BYTES, SUFFIXES, format_of
from app.proof_files.words import progress_words, size_words


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (pictures.photo("a"), "jpeg"),
        (pictures.photo("a", orientation=6, size=100_000), "jpeg"),
        (pictures.signature("a"), "png"),
        (b"GIF89a\x01\x00\x01\x00", "gif"),
        (b"RIFF\x24\x00\x00\x00WEBPVP8 ", "webp"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", ""),
        (b"\x00\x00\x00\x18ftypheic\x00\x00", "heic"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00", ""),
        (b"<svg xmlns=", ""),
        (b"%PDF-1.7", ""),
        (b"MZ\x90\x00", ""),
        (b"", ""),
    ],
)
def test_kinds(head: bytes, kind: str) -> None:
    assert format_of(head[:HEAD_BYTES]) == kind


@given(st.binary(max_size=64))
def test_any_bytes_are_of_one_kind_or_none(data: bytes) -> None:
    kind = format_of(data)
    assert kind == "" or kind in FORMAT_NAMES.keys() & SUFFIXES.keys()
    assert format_of(data + b"whatever follows") == kind or len(data) < 12


@given(st.integers(0, 10**12))
def test_sizes_are_short(size: int) -> None:
    assert size_words(size).endswith((" kB", " MB"))
    assert progress_words(0, size).endswith(size_words(size))


def test_words_of_progress() -> None:
    assert progress_words(3_200_000, 20_000_000) == "3.2 of 20.0 MB"
    assert progress_words(60_000, 100_000) == "60 of 100 kB"
    assert progress_words(3_200_000, None) == "3.2 MB"
    assert size_words(300) == "1 kB"
    assert size_words(0) == "0 kB"
