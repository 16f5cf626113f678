"""``identity``: which records of several systems are the same facility, item, programme or vehicle."""

from __future__ import annotations

import sys
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from app.commands.output import Refused, json_option, print_facts, print_rows
from app.commands.session import Session

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from app.identity.kinds import Kind

_KINDS = ("facility", "item", "program", "vehicle", "driver")  # app.identity.kinds, without the database library
_JOINED = ("id", "name", "joined")
_SUGGESTED = ("score", "strength", "one", "one_of", "other", "other_of", "reasons", "one_id", "other_id")
_UNMATCHED = ("id", "integration", "code", "name", "detail")
_COUNTS = ("kind", "integration", "records", "joined", "suggested", "unmatched")
_ACTS = ("id", "at", "who", "act", "subject", "undone", "batch")

_kind_option = click.option("--kind", type=click.Choice(_KINDS), default="item", show_default=True, help="What of.")
_text_option = click.option("--text", default="", help="Words that stand in a name or a code.")
_limit_option = click.option("--limit", type=click.IntRange(1), default=200, show_default=True, help="At most so many.")


@click.group()
def identity() -> None:
    """Which records of several systems are the same thing."""


@identity.command(name="list")
@_kind_option
@_text_option
@_limit_option
@click.option("--unmatched", "what", flag_value="unmatched", help="Records that nothing matches instead.")
@click.option("--counts", "what", flag_value="counts", help="How many of each system are joined and unmatched.")
@click.option(
    "--acts", "what", flag_value="acts", help="What was joined, split, declined and undone, the newest first."
)
@json_option
@click.pass_obj
def list_(session: Session, kind: str, text: str, limit: int, what: str | None, as_json: bool) -> None:
    """What is joined: each thing with its records."""
    from app.identity import listing

    if what == "unmatched":
        records = session.read(partial(listing.list_unmatched, kind=kind, text=text, limit=limit))
        rows = [
            {
                "kind": kind,
                "id": record.id,
                "integration_id": record.source_id,
                "integration": record.source,
                "peer_id": record.peer_id,
                "code": record.code,
                "name": record.name,
                "detail": record.detail,
            }
            for record in records
        ]
        print_rows(rows, _UNMATCHED, as_json=as_json)
    elif what == "counts":
        print_rows(session.read(_counts), _COUNTS, as_json=as_json)
    elif what == "acts":
        acts = session.read(partial(listing.list_acts, kind=kind, limit=limit))
        print_rows([act.as_row() for act in acts], _ACTS, as_json=as_json)
    else:
        found = session.read(partial(listing.list_identities, kind=kind, text=text, limit=limit))
        print_rows([one.as_row() for one in found], _JOINED, as_json=as_json)


@identity.command()
@_kind_option
@_text_option
@_limit_option
@click.option("--at-least", type=click.IntRange(0, 100), default=0, help="Only from this score on.")
@click.option("--look", "look_again", is_flag=True, help="Look again first; the engine does after every change.")
@click.option("--accept", is_flag=True, help="Join what is listed, after asking.")
@click.option("--decline", is_flag=True, help="Remember that what is listed is not the same, after asking.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
@click.pass_obj
def suggest(
    session: Session,
    kind: Kind,
    text: str,
    limit: int,
    at_least: int,
    look_again: bool,
    accept: bool,
    decline: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Records that are probably the same, the surest first, with what speaks for it."""
    from app.clock import utc_now
    from app.identity import acts
    from app.identity.kinds import in_chunks
    from app.identity.listing import list_suggestions
    from app.identity.look import look

    if accept and decline:
        raise click.UsageError("Say either --accept or --decline.")
    if look_again:
        with session.store() as store:
            look(store, kind, utc_now())
    rows = session.read(partial(list_suggestions, kind=kind, text=text, at_least=at_least, limit=limit))
    if not accept and not decline:
        print_rows([row.as_row() for row in rows], _SUGGESTED, as_json=as_json)
        return
    if not rows:
        raise Refused("Nothing of this is suggested, so nothing was changed.")
    _ask(f"{'Join' if accept else 'Decline'} {len(rows)} pairs?", yes)
    if accept:
        pairs = [acts.Pair(row.low.id, row.high.id, row.how, " ".join(row.reasons)) for row in rows]
        batch, count = "", 0
        with session.store() as store:
            for some in in_chunks(pairs, acts.ACCEPT_AT_ONCE):
                job = partial(acts.accept, kind=kind, pairs=some, now=utc_now(), batch_id=batch)
                batch, more = store.write(job).result()
                count += more
        print_facts({"batch": batch, "joined": count}, as_json=as_json)
    else:
        both = [(row.low.id, row.high.id) for row in rows]
        done = session.write(partial(acts.decline, kind=kind, pairs=both, now=utc_now()))
        print_facts({"act": done.act_id, "declined": len(both)}, as_json=as_json)


@identity.command()
@_kind_option
@click.argument("ids", metavar="ID ID…", nargs=-1, required=True)
@click.option("--name", default="", help="What to call it; left out, as the first record.")
@json_option
@click.pass_obj
def merge(session: Session, kind: str, ids: tuple[str, ...], name: str, as_json: bool) -> None:
    """Say that records, or identities with all of theirs, are the same."""
    from app.clock import utc_now
    from app.identity.acts import merge as act
    from app.identity.listing import find_identity

    def job(connection: Connection) -> dict[str, Any]:
        done = act(connection, kind, ids, name=name, now=utc_now())
        found = find_identity(connection, done.identity_id or "")
        return {"act": done.act_id, **({} if found is None else found.as_row())}

    print_facts(session.write(job), as_json=as_json)


@identity.command()
@_kind_option
@click.argument("ids", metavar="RECORD…", nargs=-1, required=True)
@json_option
@click.pass_obj
def split(session: Session, kind: str, ids: tuple[str, ...], as_json: bool) -> None:
    """Take records out of what they are joined with; that they are not the same is remembered."""
    from app.clock import utc_now
    from app.identity.acts import split as act

    done = session.write(partial(act, kind=kind, record_ids=ids, now=utc_now()))
    print_facts({"act": done.act_id, "identity": done.identity_id, "split": list(ids)}, as_json=as_json)


@identity.command()
@_kind_option
@click.argument("one", metavar="RECORD")
@click.argument("other", metavar="RECORD")
@json_option
@click.pass_obj
def decline(session: Session, kind: str, one: str, other: str, as_json: bool) -> None:
    """Say that two records are not the same."""
    from app.clock import utc_now
    from app.identity.acts import decline as act

    done = session.write(partial(act, kind=kind, pairs=[(one, other)], now=utc_now()))
    print_facts({"act": done.act_id, "declined": 1}, as_json=as_json)


@identity.command()
@click.argument("act_id", metavar="ACT|BATCH")
@json_option
@click.pass_obj
def undo(session: Session, act_id: str, as_json: bool) -> None:
    """Take an act back, or all of a batch; undoing can be undone."""
    from app.clock import utc_now
    from app.identity.acts import undo as act

    count = session.write(partial(act, act_or_batch=act_id, now=utc_now()))
    print_facts({"undone": count, "of": act_id}, as_json=as_json)


@identity.command()
@click.option("--join", "joined", multiple=True, type=click.Choice((*_KINDS, "none")), help="Kinds to join unasked.")
@click.option("--within", "within_m", type=float, help="Metres within which two places count as one.")
@json_option
@click.pass_obj
def rules(session: Session, joined: Sequence[str], within_m: float | None, as_json: bool) -> None:
    """Show or change what is joined by itself: only equal codes with agreeing names, and only where it is said here."""
    from app.identity.rules import load_rules, set_rules

    if joined or within_m is not None:
        kinds = None if not joined else [kind for kind in joined if kind != "none"]
        chosen = session.write(partial(set_rules, joined=kinds, within_m=within_m))
    else:
        chosen = session.read(load_rules)
    print_facts({"joined": sorted(chosen.joined), "within_m": chosen.within_m}, as_json=as_json)


def _counts(connection: Connection) -> list[dict[str, Any]]:
    from app.identity.kinds import KINDS
    from app.identity.listing import count_sources

    return [
        {
            "kind": kind,
            "integration_id": count.source_id,
            "integration": count.source,
            "records": count.total,
            "joined": count.joined,
            "suggested": count.suggested,
            "unmatched": count.unmatched,
        }
        for kind in KINDS
        for count in count_sources(connection, kind)
    ]


def _ask(question: str, yes: bool) -> None:
    if not yes and sys.stdin.isatty() and not click.confirm(question, err=True):
        raise Refused("Nothing was changed.")
