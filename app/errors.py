"""The one base of errors whose text is meant for the operator."""

from __future__ import annotations


class OperatorError(Exception):
    """Something that is nobody's defect; ``why`` is a sentence: what failed, why, what to do next."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why
