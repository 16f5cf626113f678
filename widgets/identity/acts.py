"""What the operator decides about identities: asked where it must be, written, and told once it is."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from PySide6.QtCore import QObject
from PySide6.QtWidgets import QWidget

from app.identity import acts
from app.identity.kinds import Known, in_chunks
from app.identity.listing import ActListing, SuggestionListing
from app.identity.rules import Rules, set_rules
from resources.i18n import tr, trn
from widgets import ask
from widgets.context import ConsoleContext
from widgets.identity.words import KIND_WORDS, source_word


class IdentityActs(QObject):
    """One object of the panel."""

    def __init__(self, context: ConsoleContext, parent: QWidget) -> None:
        super().__init__(parent)
        self._context = context
        self._parent = parent

    async def accept(self, rows: Sequence[SuggestionListing]) -> bool:
        """Join what is suggested; many are counted and named first."""
        if len(rows) > 1 and not await ask.confirm(
            self._parent,
            self._context.theme,
            trn("Join {count} pair?", "Join {count} pairs?", len(rows)),
            tr(
                "Stock, papers and reports of both records of each pair are then shown as one. Nothing is changed in "
                "the systems themselves. All of it can be undone in one go in the history."
            ),
            act=trn("Join {count} pair", "Join {count} pairs", len(rows)),
            detail=ask.some_of([f"{row.low.label} = {row.high.label}" for row in rows]),
        ):
            return False
        kind = rows[0].kind
        pairs = [acts.Pair(row.low.id, row.high.id, row.how, " ".join(row.reasons)) for row in rows]
        batch, count = "", 0
        for some in in_chunks(pairs, acts.ACCEPT_AT_ONCE):
            job = partial(acts.accept, kind=kind, pairs=some, now=self._context.now(), batch_id=batch)
            done = await self._context.write(job)
            if done is None:
                return False
            batch, count = done[0], count + done[1]
        self._context.notify("ok", trn("{count} pair is joined.", "{count} pairs are joined.", count))
        return True

    async def decline(self, rows: Sequence[SuggestionListing]) -> bool:
        pairs = [(row.low.id, row.high.id) for row in rows]
        done = await self._context.write(partial(acts.decline, kind=rows[0].kind, pairs=pairs, now=self._context.now()))
        if done is None:
            return False
        said = trn("{count} pair is not suggested again.", "{count} pairs are not suggested again.", len(rows))
        self._context.notify("ok", said)
        return True

    async def merge(self, kind: str, records: Sequence[Known], ids: Sequence[str]) -> bool:
        """Join by hand; ``records`` are named in the question, ``ids`` may be identities too."""
        done = await self._context.write(partial(acts.merge, kind=kind, ids=ids, now=self._context.now()))
        if done is None:
            return False
        names = " = ".join(record.label for record in records[:3])
        self._context.notify("ok", tr("Joined: {names}.", names=names))
        return True

    async def split(self, kind: str, record: Known) -> bool:
        done = await self._context.write(
            partial(acts.split, kind=kind, record_ids=[record.id], now=self._context.now())
        )
        if done is None:
            return False
        said = tr("{name} ({source}) stands alone again.", name=record.label, source=source_word(record))
        self._context.notify("ok", said)
        return True

    async def undo(self, row: ActListing, *, whole_batch: bool = False) -> bool:
        target = row.batch_id if whole_batch else row.id
        done = await self._context.write(partial(acts.undo, act_or_batch=target, now=self._context.now()))
        if done is None:
            return False
        self._context.notify("ok", trn("{count} act is undone.", "{count} acts are undone.", done))
        return True

    async def choose_rule(self, kind: str, rules: Rules, *, on: bool) -> bool:
        """Join equal codes with agreeing names without asking, or no more; what it means is said before."""
        if on and not await ask.confirm(
            self._parent,
            self._context.theme,
            tr("Join equal codes by themselves?"),
            tr(
                "From now on {kind} of two systems are joined without asking where the codes are equal, the names "
                "agree, and no other record fits. Each join stands in the history and can be undone.",
                kind=KIND_WORDS[kind].lower(),
            ),
            act=tr("Join them by themselves"),
        ):
            return False
        joined = rules.joined | {kind} if on else rules.joined - {kind}
        return await self._context.write(partial(set_rules, joined=sorted(joined))) is not None
