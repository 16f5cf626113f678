"""Ids of entities: UUID version 7 (RFC 9562, 5.7), so that they sort by time of birth on every site."""

from __future__ import annotations

import secrets
import threading
import time
import uuid

_COUNTER_BITS = 74  # rand_a (12) and rand_b (62) together

_lock = threading.Lock()
_last_ms = 0
_last_counter = 0


def new_id() -> str:
    """A new id as text. Within one process each is greater than the one before, also when the clock goes back."""
    global _last_ms, _last_counter  # noqa: PLW0603 - one process, one sequence
    with _lock:
        now_ms = time.time_ns() // 1_000_000
        if now_ms > _last_ms:
            # The top bit starts clear, which leaves room to count within one millisecond (RFC 9562, 6.2 method 2).
            _last_ms, _last_counter = now_ms, secrets.randbits(_COUNTER_BITS - 1)
        else:
            _last_counter += 1 + secrets.randbits(32)
            if _last_counter >> _COUNTER_BITS:
                _last_ms, _last_counter = _last_ms + 1, secrets.randbits(_COUNTER_BITS - 1)
        ms, counter = _last_ms, _last_counter
    value = ms << 80 | 0x7 << 76 | (counter >> 62) << 64 | 0b10 << 62 | counter & ((1 << 62) - 1)
    return str(uuid.UUID(int=value))
