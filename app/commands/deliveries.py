"""``deliveries``: threads of shipments, custody gaps, departure checks, joins, files of proofs, evidence packs."""

from __future__ import annotations

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.export import write_file
from app.commands.output import Refused, cell, json_option, print_facts, print_json, print_rows
from app.commands.proof_files import fetch, files
from app.commands.session import Session, moment

if TYPE_CHECKING:
    from sqlalchemy import Connection

_STEPS = ("kind", "state", "title", "at", "since", "detail", "next_step")
_GAPS = ("kind", "subject", "age", "detail", "next_step")
_FINDINGS = ("label", "ok", "detail", "advice")
_TWINS = ("vehicle", "source", "other_source", "since", "until", "worst_m", "cause", "explanation")
_KINDS = ("no_batch", "never_shipped", "not_received", "quantities")

journey_argument = click.argument("wanted", metavar="ID")


@click.group()
def deliveries() -> None:
    """Deliveries: journeys, what is missing in them, and proofs of them."""


@deliveries.command()
@journey_argument
@json_option
@click.pass_obj
def thread(session: Session, wanted: str, as_json: bool) -> None:
    """The journey of a shipment or batch, by its id, number or name: what is known, and the gaps."""
    from app.deliveries.choose import choose_journey
    from app.deliveries.thread import thread_of

    def read(connection: Connection) -> dict[str, Any]:
        return thread_of(connection, choose_journey(connection, wanted), session.clock.now_ms()).as_json()

    found = session.read(read)
    if as_json:
        print_json(found)
        return
    click.echo(cell(found["title"]))
    print_rows(found["steps"], _STEPS, as_json=False)


@deliveries.command()
@click.option("--kind", "kinds", multiple=True, type=click.Choice(_KINDS), help="Only of these kinds.")
@click.option("--hours", type=click.IntRange(1, 720), help="Hours until a delivery must be received, for this once.")
@json_option
@click.pass_obj
def gaps(session: Session, kinds: tuple[str, ...], hours: int | None, as_json: bool) -> None:
    """Where custody is unknown, the oldest first."""
    from app.deliveries.gaps import custody_gaps
    from app.deliveries.settings import DeliverySettings, load_settings

    now_ms = session.clock.now_ms()

    def read(connection: Connection) -> list[dict[str, Any]]:
        chosen = load_settings(connection)
        if hours is not None:
            chosen = DeliverySettings(hours, chosen.days)
        found = custody_gaps(connection, now_ms, settings=chosen, kinds=kinds)
        return [gap.as_row(now_ms) for gap in found]

    print_rows(session.read(read), _GAPS, as_json=as_json)


@deliveries.command()
@click.option("--receipt-hours", type=int, help="Hours until a delivery must be received.")
@click.option("--days", type=int, help="Days that gaps look back.")
@click.option("--photo-days", type=int, help="Days that files of proofs are kept.")
@click.option("--photo-total-mb", type=int, help="MB that all files of proofs may have; the oldest make room.")
@json_option
@click.pass_obj
def settings(
    session: Session,
    receipt_hours: int | None,
    days: int | None,
    photo_days: int | None,
    photo_total_mb: int | None,
    as_json: bool,
) -> None:
    """Show or change what counts as a gap, and how long files of proofs are kept."""
    from dataclasses import asdict

    from app.deliveries.settings import load_settings, set_settings

    if (receipt_hours, days, photo_days, photo_total_mb) == (None, None, None, None):
        chosen = session.read(load_settings)
    else:
        change = partial(
            set_settings, receipt_hours=receipt_hours, days=days, photo_days=photo_days, photo_total_mb=photo_total_mb
        )
        chosen = session.write(change)
    print_facts(asdict(chosen), as_json=as_json)


@deliveries.command()
@journey_argument
@click.option("--keep", is_flag=True, help="Keep what was found with the batch.")
@click.option("--override", "reason", default="", metavar="REASON", help="Keep it, and let the batch go nevertheless.")
@json_option
@click.pass_obj
def check(session: Session, wanted: str, keep: bool, reason: str, as_json: bool) -> None:
    """Look at a batch before it leaves; exit status 1 where something is not in order."""
    from app.clock import utc_now
    from app.deliveries.choose import choose_journey
    from app.deliveries.departure_look import look_before_departure
    from app.deliveries.departures import is_ready, keep_check, override_check

    now = utc_now()
    with session.store() as store:
        with store.read() as connection:
            batch_id = choose_journey(connection, wanted)
            findings = look_before_departure(connection, batch_id, session.clock.now_ms())

        def job(connection: Connection) -> str:
            check_id = keep_check(connection, batch_id, findings, now=now)
            if reason:
                override_check(connection, check_id, reason, now=now)
            return check_id

        kept = store.write(job).result() if keep or reason else ""
    ready = is_ready(findings)
    rows = [finding.as_json() for finding in findings]
    if as_json:
        print_json({"batch_id": batch_id, "is_ready": ready, "findings": rows, "check_id": kept})
    else:
        print_rows(rows, _FINDINGS, as_json=False)
    if not ready and not reason:
        raise Refused("Not everything is in order. Do what is advised, or let it go with --override and a reason.")


@deliveries.command()
@journey_argument
@json_option
@click.pass_obj
def eta(session: Session, wanted: str, as_json: bool) -> None:
    """When a batch will be at its remaining stops."""
    from app.deliveries.batch import need_batch
    from app.deliveries.choose import choose_journey
    from app.deliveries.eta import batch_eta
    from app.fleet.times import iso_ms

    def read(connection: Connection) -> list[dict[str, Any]]:
        batch = need_batch(connection, choose_journey(connection, wanted))
        return [
            {
                "sequence": one.stop.sequence, "stop": one.stop.label, "eta": iso_ms(one.eta_ms),
                "way_km": None if one.way_m is None else round(one.way_m / 1000, 1),
                "late_min": None if one.late_ms is None else round(one.late_ms / 60_000), "why": one.why,
            }
            for one in batch_eta(connection, batch, session.clock.now_ms()).stops
        ]  # fmt: skip

    print_rows(session.read(read), ("sequence", "stop", "eta", "way_km", "late_min", "why"), as_json=as_json)


@deliveries.command()
@click.option("--lasting", is_flag=True, help="Only those that last.")
@click.option("--since", help="Only those that lasted then or later, ISO 8601.", callback=moment)
@json_option
@click.pass_obj
def twins(session: Session, lasting: bool, since: datetime | None, as_json: bool) -> None:
    """Vehicles of which two sources disagree, and the likely cause."""
    from app.clock import to_ms
    from app.deliveries.twin_list import list_twins

    since_ms = None if since is None else to_ms(since)
    rows = session.read(partial(list_twins, only_lasting=lasting, since_ms=since_ms))
    print_rows([row.as_row() for row in rows], _TWINS, as_json=as_json)


def _decision(name: str, told: str) -> None:
    @deliveries.command(name=name, help=told)
    @click.argument("shipment")
    @click.argument("batch")
    @click.option("--reason", default="", help="Why.")
    @json_option
    @click.pass_obj
    def command(session: Session, shipment: str, batch: str, reason: str, as_json: bool) -> None:
        from app.clock import utc_now
        from app.deliveries import join_acts
        from app.deliveries.choose import choose_journey

        def job(connection: Connection) -> join_acts.Decided:
            ids = choose_journey(connection, shipment), choose_journey(connection, batch)
            return getattr(join_acts, name)(connection, *ids, reason, now=utc_now())  # type: ignore[no-any-return]

        _print_decided(session.write(job), as_json)


_decision("join", "Say that a shipment travels in a batch.")
_decision("decline", "Say that it does not: the join is not found again.")


@deliveries.command()
@click.argument("act_id", metavar="ACT", type=int)
@json_option
@click.pass_obj
def undo(session: Session, act_id: int, as_json: bool) -> None:
    """Take a join or a decline back."""
    from app.clock import utc_now
    from app.deliveries import join_acts

    _print_decided(session.write(partial(join_acts.undo, act_id=act_id, now=utc_now())), as_json)


@deliveries.command()
@journey_argument
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The pack's file.")
@click.option("--picture", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="A PNG of the map.")
@json_option
@click.pass_obj
def evidence(session: Session, wanted: str, output: Path, picture: Path | None, as_json: bool) -> None:
    """One file for a dispute; the hash that is printed vouches for it, so keep it apart from the file."""
    from app import platform
    from app.deliveries.choose import choose_journey
    from app.deliveries.evidence_pack import Pack, evidence_pack
    from app.proof_files.folder import ProofFolder

    folder = ProofFolder(session.paths.proof_files)
    pictures = {} if picture is None else {"map": picture.read_bytes()}

    def read(connection: Connection) -> Pack:
        record_id = choose_journey(connection, wanted)
        now_ms = session.clock.now_ms()
        made_by = platform.console_user()
        return evidence_pack(connection, record_id, now_ms, made_by=made_by, pictures=pictures, folder=folder)

    pack = session.read(read)
    write_file(output, [pack.data])
    facts = {
        "file": str(output),
        "bytes": len(pack.data),
        "files": len(pack.files),
        "manifest_hash": pack.manifest_hash,
    }
    print_facts(facts, as_json=as_json)


@deliveries.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--manifest-hash", default="", help="The hash that was written down when it was made.")
@json_option
def verify(file: Path, manifest_hash: str, as_json: bool) -> None:
    """Verify an evidence pack; exit status 1 where it was tampered with."""
    import zipfile

    from app.deliveries.verify_evidence import faults

    try:
        found = faults(str(file), manifest_hash)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as err:
        raise Refused(f"{file} is no evidence pack, or is damaged ({err}).") from err
    if as_json:
        print_json({"ok": not found, "faults": found})
    else:
        for sentence in found:
            click.echo(cell(sentence))
    if found:
        raise Refused("The pack does not hold.")
    if not as_json:
        click.echo("The pack holds: every file is as it was made.")


deliveries.add_command(files)
deliveries.add_command(fetch)


def _print_decided(decided: Any, as_json: bool) -> None:
    facts = {
        "act": decided.act_id, "shipment_id": decided.shipment_id, "batch_id": decided.batch_id, "how": decided.how,
    }  # fmt: skip
    print_facts(facts, as_json=as_json)
