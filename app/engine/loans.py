"""What the workbench has borrowed from the engine: which resource, who, until when."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from app.clock import from_ms

LOAN_S = 30.0
"""A borrower that died gives back by itself after this time; those that live renew every 10 s."""


@dataclass(frozen=True, slots=True)
class Loan:
    borrower: str
    since_ms: int
    until_s: float  # of the monotonic clock


class Loans:
    """Held by the engine, so that an integration that starts meanwhile leaves alone what is lent."""

    def __init__(self) -> None:
        self._loans: dict[str, Loan] = {}

    def lend(self, resource: str, borrower: str, now_ms: int, now_s: float) -> bool:
        """Begin a loan or renew it; False where another borrower has the resource."""
        loan = self._active(now_s).get(resource)
        if loan is not None and loan.borrower != borrower:
            return False
        fresh = Loan(borrower, now_ms, now_s + LOAN_S)
        self._loans[resource] = fresh if loan is None else replace(loan, until_s=fresh.until_s)
        return True

    def end(self, resource: str, borrower: str) -> bool:
        """End a loan; False where this borrower has none."""
        loan = self._loans.get(resource)
        if loan is None or loan.borrower != borrower:
            return False
        del self._loans[resource]
        return True

    def left(self, now_s: float) -> dict[str, float]:
        """Seconds that each loan still has."""
        return {resource: loan.until_s - now_s for resource, loan in self._active(now_s).items()}

    def spoken(self, resources: Collection[str], now_s: float) -> dict[str, str]:
        """A sentence for each of these resources that is lent now."""
        return {
            resource: f"{resource} is lent to the workbench since {from_ms(loan.since_ms):%H:%M} UTC."
            for resource, loan in self._active(now_s).items()
            if resource in resources
        }

    def _active(self, now_s: float) -> dict[str, Loan]:
        self._loans = {resource: loan for resource, loan in self._loans.items() if loan.until_s > now_s}
        return self._loans
