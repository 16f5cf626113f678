"""What can go wrong between an adapter and its peer, as a closed set.

    AdapterError
    ├── SettingsInvalid(field, why)        a value cannot be right; no retry
    ├── AuthFailed(why)                    credentials refused; stop and ask
    ├── NotReady(why, retry_after_s)       unreachable, busy, port taken, rate limited, not trusted; retry
    ├── BadReply(why, sample)              answered, but not as the protocol says; retry
    ├── Unsupported(why)                   driver missing, peer too old; stop
    ├── RecordRejected(key, why)           one record refused; set it aside and go on
    └── Conflict(key, ours, theirs)        both sides changed

Adapters raise these and only these. Every message is a sentence that an operator can act on: it names the peer
and never holds a secret. Anything else that leaves an adapter is a defect of ours.
"""

from __future__ import annotations


class AdapterError(Exception):
    """Base of everything an adapter may raise; ``why`` is the sentence for the operator.

    ``field`` names the setting to look at, "" for none; ``proposal`` is a value that would make it right if the
    operator agrees: the fingerprint that a peer shows. ``is_doubtful``: a change went out and its answer was lost, so
    that the peer may have applied it.
    """

    field: str = ""
    proposal: str = ""
    is_doubtful: bool = False

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


class SettingsInvalid(AdapterError):
    """A setting cannot be right. ``field`` is its name in the settings model, or "" for the whole form."""

    def __init__(self, field: str, why: str) -> None:
        super().__init__(why)
        self.field = field


class AuthFailed(AdapterError):
    """The peer refused the credentials. Polling stops until somebody signs in again."""


class NotReady(AdapterError):
    """The peer cannot serve now; ``retry_after_s`` is the peer's own wish, None where it named none.

    With ``field`` either side may end it: the peer by itself, or the operator by changing that setting.
    """

    def __init__(self, why: str, retry_after_s: float | None = None, *, field: str = "", proposal: str = "") -> None:
        super().__init__(why)
        self.retry_after_s = retry_after_s
        self.field = field
        self.proposal = proposal


class BadReply(AdapterError):
    """The peer answered something its protocol does not allow; ``sample`` holds the first bytes for diagnostics."""

    def __init__(self, why: str, sample: str = "") -> None:
        super().__init__(why)
        self.sample = sample[:2000]


class Unsupported(AdapterError):
    """Something must be installed or upgraded, here or at the peer, before this can work."""


class RecordRejected(AdapterError):
    """One record cannot be read or was refused; the others go on. ``key`` names the record."""

    def __init__(self, key: str, why: str) -> None:
        super().__init__(why)
        self.key = key


class Conflict(AdapterError):
    """Both sides changed the record ``key`` since they last agreed."""

    def __init__(self, key: str, ours: object, theirs: object) -> None:
        super().__init__(f"{key} was changed here and at the other side")
        self.key = key
        self.ours = ours
        self.theirs = theirs
