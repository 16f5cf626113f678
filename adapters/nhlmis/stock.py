"""Stock out: what is reportable, and one store after the other by the rules of nhlmis.md, A3 and C3.

Batches first, counts only when every batch was accepted; a failure stops its own store.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Literal

from adapters.connect import capital
from adapters.errors import AdapterError, AuthFailed, BadReply, NotReady
from adapters.nhlmis import fields
from adapters.nhlmis.answers import LONGEST_WHY, is_mute, read_verdict
from adapters.nhlmis.client import NhlmisClient
from adapters.nhlmis.profile import Profile
from adapters.nhlmis.requests import Wire, batch_requests, count_requests
from adapters.reporting import (
    ExactRequest,
    HeldBack,
    Message,
    Outcome,
    Progress,
    Refusal,
    RunResult,
    StockRow,
    StoreResult,
)

MOST_PACKS = 1e9
EARLIEST_MS, LATEST_MS = 946_684_800_000, 4_102_444_800_000  # the years 2000 to 2099
FAILURES_IN_A_ROW = 2
"""After so many stores for which the server was not reachable, the rest is not tried."""


def split_reportable(
    profile: Profile, rows: Iterable[StockRow], stores: Sequence[str]
) -> tuple[dict[str, list[StockRow]], list[HeldBack]]:
    """The rows that can be told, by store in the order in which they come, and the others with their reason."""
    good: dict[str, list[StockRow]] = {}
    held: list[HeldBack] = []
    taken: set[str] = set()
    for row in rows:
        why = _why_not(profile, row, stores)
        if not why and row.key in taken:
            why = "This line is given twice. Look at the source of the report."
        if why:
            held.append(HeldBack(row.key, why))
        else:
            taken.add(row.key)
            good.setdefault(row.store_code, []).append(row)
    return good, held


def _why_not(profile: Profile, row: StockRow, stores: Sequence[str]) -> str:
    if not row.store_code.strip():
        return "The store has no NHLMIS code. Match it on the page of identities."
    if stores and row.store_code not in stores:
        return f"The store {row.store_code} is not among those that report. Add it in the settings, or leave it out."
    if not row.item_code.strip():
        return "The item has no NHLMIS code. Match it on the page of identities."
    if profile.stock.needs_program and not row.program.strip():
        return "Not reportable: the line has no programme. Set it where the stock is kept."
    if profile.stock.needs_funder and not row.funder.strip():
        return "Not reportable: the line has no donor. Set it where the stock is kept."
    if not (math.isfinite(row.packs) and abs(row.packs) <= MOST_PACKS):
        return "The quantity is beyond every reason. Count again, and correct it where the stock is kept."
    if row.packs < 0:
        return "The quantity is less than 0. Correct it where the stock is kept."
    if row.packs == 0:
        return "Nothing is available: only stock above 0 is reported."
    if not (math.isfinite(row.pack_size) and 0 < row.pack_size <= MOST_PACKS):
        return "The pack size is no number above 0. Correct it where the stock is kept."
    if not EARLIEST_MS <= row.counted_ms < LATEST_MS:
        return "The time of the count cannot be right. Check this computer's clock."
    if row.expires_on is not None and not _is_day(row.expires_on):
        return f"The expiry date “{row.expires_on[:40]}” is no date. Correct it where the stock is kept."
    texts = (row.store_code, row.item_code, row.batch, row.program, row.funder, row.manufacturer, row.gtin)
    if any(any("\ud800" <= char <= "\udfff" for char in text) for text in texts):
        return "A text of this line holds characters that cannot be sent. Correct it where the stock is kept."
    return ""


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def stock_requests(wire: Wire, store: str, rows: Sequence[StockRow]) -> list[ExactRequest]:
    """All calls for one store, in order."""
    return [*batch_requests(wire, store, rows), *count_requests(wire, store, rows)]


@dataclass(slots=True)
class Sent:
    """What became of the calls of one step: rows taken, refused, and what was said against whole calls.

    ``unconfirmed``: rows of calls that went out and have no answer that tells; ``mute``: calls of those whose answer
    was a success that says nothing.
    """

    accepted: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    unconfirmed: list[str] = field(default_factory=list)
    mute: int = 0
    whole: str = ""
    messages: list[Message] = field(default_factory=list)
    error: AdapterError | None = None

    @property
    def is_good(self) -> bool:
        return not self.refused and not self.unconfirmed and not self.whole and self.error is None


class StockSender:
    """Sends one store's stock. ``after`` is called after each call, with whether it was answered."""

    def __init__(self, client: NhlmisClient, after: Callable[[ExactRequest, bool], None] = lambda *_: None) -> None:
        self._client = client
        self._after = after

    async def send_batches(self, store: str, rows: Sequence[StockRow]) -> Sent:
        """Tell of the batches; the first call that is not taken whole ends it."""
        return await self._send(batch_requests(self._client.wire, store, rows), stop_at_refusal=True)

    async def send_stock_counts(self, store: str, rows: Sequence[StockRow]) -> Sent:
        """Tell the quantities; a refused line stops no other call. Only after every batch was accepted."""
        return await self._send(count_requests(self._client.wire, store, rows), stop_at_refusal=False)

    async def send_store(self, store: str, rows: Sequence[StockRow]) -> tuple[StoreResult, AdapterError | None]:
        """Both steps by the rule, and the error that ended them, if one did."""
        batches = await self.send_batches(store, rows)
        if not batches.is_good:
            return self._result(store, rows, batches, Sent(), "batches"), batches.error
        counts = await self.send_stock_counts(store, rows)
        return self._result(store, rows, batches, counts, "stock_counts"), counts.error

    async def _send(self, requests: Sequence[ExactRequest], *, stop_at_refusal: bool) -> Sent:
        sent = Sent()
        for request in requests:
            try:
                await self._call(request, sent)
            except (AuthFailed, NotReady, BadReply) as err:
                sent.error = err
                if err.is_doubtful:
                    sent.unconfirmed += _rows_of(request)
            self._after(request, sent.error is None)
            if sent.error is not None or (stop_at_refusal and not sent.is_good):
                break
        return sent

    async def _call(self, request: ExactRequest, sent: Sent) -> None:
        clock, started_ms = self._client.kit.clock, self._client.kit.clock.now_ms()
        status: int | None = None
        answer = ""
        try:
            reply = await self._client.send(request)
            status, answer = reply.status, fields.text(reply.sample, LONGEST_WHY)
            verdict = read_verdict(self._client.profile.answers, reply.status, reply.body, request.records)
        except AdapterError as err:
            answer = err.why
            raise
        finally:
            took_ms = max(clock.now_ms() - started_ms, 0)
            count = len(request.records)
            message = Message(request.step, request.store, request.digest, count, started_ms, took_ms, status, answer)
            sent.messages.append(message)
        sent.refused |= {refusal.key: refusal.why for refusal in verdict.refusals}
        if verdict.whole:
            sent.whole = sent.whole or f"{verdict.whole} ({reply.status})"
        elif is_mute(reply.status, reply.body) and not self._client.profile.answers.empty_is_accepted:
            sent.unconfirmed += _rows_of(request)
            sent.mute += 1
        elif reply.status < 400:
            sent.accepted += [row for row in _rows_of(request) if row not in sent.refused]

    def _result(
        self, store: str, rows: Sequence[StockRow], batches: Sent, counts: Sent, at: Literal["batches", "stock_counts"]
    ) -> StoreResult:
        refused = {**batches.refused, **counts.refused}
        accepted = [row for row in dict.fromkeys(counts.accepted) if row not in refused]
        unconfirmed = [row for row in dict.fromkeys(counts.unconfirmed) if row not in refused]
        accepted = [row for row in accepted if row not in unconfirmed]
        taken = {*accepted, *refused, *unconfirmed}
        last = batches if at == "batches" else counts
        outcome = _outcome(last)
        return StoreResult(
            store=store,
            outcome=outcome,
            detail=self._detail(store, last, at, outcome, len(refused), len(accepted)),
            accepted=tuple(accepted),
            refused=tuple(Refusal(row, why) for row, why in refused.items()),
            unsent=tuple(row.key for row in rows if row.key not in taken),
            messages=(*batches.messages, *counts.messages),
            unconfirmed=tuple(unconfirmed),
        )

    def _detail(self, store: str, last: Sent, at: str, outcome: Outcome, refused: int, accepted: int) -> str:
        what = "batches" if at == "batches" else "stock counts"
        if outcome == "accepted":
            return f"{capital(self._client.peer)} accepted {_lines(accepted)} of {store}."
        if last.error is not None:
            doubt = " It may have been taken all the same." if outcome == "doubtful" else ""
            return f"The {what} of {store} were not sent to the end. {last.error.why}{doubt}"
        if last.mute:
            return self._detail_of_mute(store, last, at, refused, accepted)
        said = f": {last.whole}" if last.whole else ""
        rest = "No counts were sent for this store." if at == "batches" else f"It took {_lines(accepted)}."
        number = f"{_lines(refused)} of " if refused else ""
        return (
            f"{capital(self._client.peer)} refused {number}the {what} of {store}{said}. {rest} Correct what is refused "
            "and send again."
        )

    def _detail_of_mute(self, store: str, last: Sent, at: str, refused: int, accepted: int) -> str:
        what = "batches" if at == "batches" else "stock counts"
        rest = "No counts were sent for this store. " if at == "batches" else ""
        rest += f"It accepted {_lines(accepted)}. " if accepted else ""
        rest += f"It refused {_lines(refused)}: correct them. " if refused else ""
        return (
            f"{capital(self._client.peer)} answered the {what} of {store} with a success that says nothing, as a proxy "
            f"or a sign-in page does too: {_lines(len(set(last.unconfirmed)))} sent, not confirmed. {rest}Ask the "
            "NHLMIS team whether they have them. If this is how their server accepts, set “answers.empty_is_accepted” "
            "in the way of sending; else check the line and the address, and send again."
        )


def _rows_of(request: ExactRequest) -> list[str]:
    return [row for record in request.records for row in record.rows]


def _outcome(last: Sent) -> Outcome:
    if last.unconfirmed:
        return "doubtful"
    if last.error is not None:
        return "failed"
    return "accepted" if last.is_good else "refused"


def _lines(count: int) -> str:
    return f"{count} line{'' if count == 1 else 's'}"


async def run_stores(
    client: NhlmisClient,
    good: dict[str, list[StockRow]],
    held: Sequence[HeldBack],
    progress: Callable[[Progress], None],
) -> RunResult:
    """Every store in turn. What fails for all of them ends the run: a refused key, a server that asks for a pause, or
    :data:`FAILURES_IN_A_ROW` stores without an answer.
    """
    total = sum(len(stock_requests(client.wire, store, rows)) for store, rows in good.items())
    done = 0

    def after(request: ExactRequest, answered: bool) -> None:
        nonlocal done
        done += 1
        what = "batches" if request.step == "batches" else "stock counts"
        came = "was answered" if answered else "got no usable answer"
        detail = f"The call with {what} of {request.store} ({_lines(len(request.records))}) {came}."
        progress(Progress(request.store, request.step, done, total, detail))

    sender = StockSender(client, after)
    results: list[StoreResult] = []
    failures = 0
    ended: AdapterError | None = None
    for store, rows in good.items():
        if ended is not None:
            keys = tuple(row.key for row in rows)
            detail = f"{store} was not sent, because the run ended before its turn. {ended.why}"
            results.append(StoreResult(store, "not_sent", detail, unsent=keys))
            continue
        result, error = await sender.send_store(store, rows)
        results.append(result)
        failures = failures + 1 if error is not None else 0
        pauses = isinstance(error, NotReady) and error.retry_after_s is not None
        if isinstance(error, AuthFailed) or pauses or failures >= FAILURES_IN_A_ROW:
            ended = error
    retry = ended.retry_after_s if isinstance(ended, NotReady) else None
    return RunResult(tuple(results), tuple(held), retry, isinstance(ended, AuthFailed))
