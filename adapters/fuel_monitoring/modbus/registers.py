"""Values in registers: type, word order, scale, and the numbers that mean "not valid" (fuel-sensors.md 2)."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

RegisterKind = Literal["u16", "i16", "u32", "i32", "f32"]
WordOrder = Literal["ABCD", "CDAB", "BADC", "DCBA"]

_FORMATS = {"u16": ">H", "i16": ">h", "u32": ">I", "i32": ">i", "f32": ">f"}


@dataclass(frozen=True, slots=True)
class Register:
    """One value. ``address`` is 0-based, as on the wire; people also write 3xxxx and 4xxxx, counted from 1."""

    function: int
    address: int
    kind: RegisterKind = "u16"
    word_order: WordOrder = "ABCD"
    scale: float = 1.0
    offset: float = 0.0
    unit: str = ""
    invalid: frozenset[float] = frozenset()

    @property
    def words(self) -> int:
        return 1 if self.kind.endswith("16") else 2

    @property
    def shown(self) -> str:
        """The address as data sheets write it, e.g. 30001."""
        return f"{'3' if self.function == 4 else '4'}{self.address + 1:04}"


def value_of(register: Register, words: Sequence[int]) -> float | None:
    """The scaled value of as many words as the register has; None for what means "not valid".

    Raises ValueError for another number of words.
    """
    if len(words) != register.words:
        raise ValueError(f"{register.kind} takes {register.words} words, not {len(words)}")
    raw = b"".join(word.to_bytes(2, "big") for word in words)
    raw = bytes(raw["ABCD".index(letter)] for letter in register.word_order[: len(raw)]) if len(raw) == 4 else raw
    if len(raw) == 2 and register.word_order in ("BADC", "DCBA"):
        raw = raw[::-1]
    (number,) = struct.unpack(_FORMATS[register.kind], raw)
    if not math.isfinite(number) or number in register.invalid:
        return None
    scaled = number * register.scale + register.offset
    return scaled if math.isfinite(scaled) else None
