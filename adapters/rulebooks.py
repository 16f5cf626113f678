"""Rules for pushed messages as a text that operators edit: offered where a manifest names ``rules``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from adapters.base import Meaning, Settings


@dataclass(frozen=True, slots=True)
class RuleFault:
    """What is wrong in rules: ``rule`` counts from 1, 0 for the whole text; ``why`` is a sentence."""

    rule: int
    why: str


class RuleBook(Protocol):
    """Rules by which a :class:`adapters.base.Translator` understands messages, as a text that operators edit.

    ``field`` is the setting that names the rules' file, ``help`` explains the form, ``example`` is a text to begin
    with.
    """

    @property
    def field(self) -> str: ...

    @property
    def help(self) -> str: ...

    @property
    def example(self) -> str: ...

    def text(self, settings: Settings) -> str:
        """The text in force, "" where there is none. Raises SettingsInvalid where its file cannot be read."""
        ...

    def faults(self, text: str) -> Sequence[RuleFault]:
        """Everything that is wrong, rule by rule; nothing where the rules can be used."""
        ...

    def titles(self, text: str) -> Sequence[str]:
        """A few words on each rule, in order; a rule that cannot be read has a dash."""
        ...

    def translate(self, text: str, body: bytes) -> Meaning:
        """What a message means by these rules. Raises SettingsInvalid for them, RecordRejected for the message."""
        ...
