"""``reports``: what facilities owe, filled from evidence, checked, sent or exported."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.export import write_file
from app.commands.output import Refused, cell, json_option, print_facts, print_json, print_rows
from app.commands.session import Session, moment
from app.commands.words import read_pair

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from app.store.store import Store

_TABLE = ("id", "programme", "facility", "period", "due_on", "state", "late", "lines_filled", "lines", "tasks")
_LINE_TABLE = (
    "item_name", "opening_balance", "received", "consumed", "losses", "adjustments_plus", "adjustments_minus",
    "closing_balance", "stockout_days", "difference", "months_of_stock",
)  # fmt: skip
_LOOK_S = 0.25
_WAIT_S = 600.0

report_argument = click.argument("report_id", metavar="ID")


@click.group()
def reports() -> None:
    """Government reports: due, filled, checked, sent."""


@reports.command(name="list")
@click.option("--where", "conditions", multiple=True, metavar="FIELD=VALUE", help="state, programme, facility or id.")
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only periods that end on or after this day.")
@json_option
@click.pass_obj
def list_(session: Session, conditions: tuple[str, ...], since: datetime | None, as_json: bool) -> None:
    """Every report that is expected, the newest period first."""
    from app.reports.calendar import ensure_reports, list_reports

    wanted, today = _wanted(dict(map(read_pair, conditions)), since), _today(session)
    with session.store() as store:
        store.write(partial(ensure_reports, today=today)).result()
        with store.read() as connection:
            rows = list_reports(connection, wanted, today)
    print_rows([row.as_row() for row in rows], _TABLE, as_json=as_json)


@reports.command()
@json_option
@click.pass_obj
def programmes(session: Session, as_json: bool) -> None:
    """Programmes that are reported, and those that could be."""
    from app.reports.programmes import count_expected, list_programmes, suggest_programmes
    from app.reports.sending import supply_kinds

    kinds = supply_kinds(session.catalogue)

    def read(connection: Connection) -> list[dict[str, Any]]:
        counts = count_expected(connection)
        found = [*list_programmes(connection), *suggest_programmes(connection, kinds)]
        return [{**one.as_row(), "set_up": bool(one.id), "facilities": counts.get(one.id, 0)} for one in found]

    columns = ("id", "integration_id", "program", "name", "set_up", "is_on", "rhythm", "due_days", "facilities")
    print_rows(session.read(read), columns, as_json=as_json)


@reports.command()
@click.argument("integration_id", metavar="SYSTEM")
@click.argument("program", metavar="PROGRAM")
@click.argument("pairs", metavar="FIELD=VALUE…", nargs=-1)
@click.option("--facility", "facilities", multiple=True, metavar="CODE", help="Who reports; those given and no others.")
@click.option("--all-facilities", is_flag=True, help="Every facility of the system reports.")
@json_option
@click.pass_obj
def expect(
    session: Session,
    integration_id: str,
    program: str,
    pairs: tuple[str, ...],
    facilities: tuple[str, ...],
    all_facilities: bool,
    as_json: bool,
) -> None:
    """Set up a programme of a supply system: its rhythm, its due day, and who reports. PROGRAM “-” means all items."""
    from app.reports.setup import set_up

    today, kinds = _today(session), _supply_kinds(session)
    job = partial(
        set_up, integration_id=integration_id, program="" if program == "-" else program,
        fields=dict(map(read_pair, pairs)), codes=None if all_facilities else facilities, kinds=kinds, today=today,
    )  # fmt: skip
    print_facts(session.write(job), as_json=as_json)


@reports.command()
@report_argument
@json_option
@click.pass_obj
def fill(session: Session, report_id: str, as_json: bool) -> None:
    """Fill a report from what the store knows; what was entered stays."""
    from app.clock import utc_now
    from app.reports.writing import fill_report

    done = session.write(partial(fill_report, report_id=report_id, now=utc_now()))
    facts = {
        "id": report_id, "lines": done.lines, "figures": done.figures, "unknown": done.unknown,
        "received_from_form": done.received,
    }  # fmt: skip
    print_facts(facts, as_json=as_json)


@reports.command()
@report_argument
@click.option("--sources", is_flag=True, help="With each number: the records behind it.")
@json_option
@click.pass_obj
def show(session: Session, report_id: str, sources: bool, as_json: bool) -> None:
    """A report with its lines."""
    from app.reports.forms import report_form, sources_of

    def read(connection: Connection) -> dict[str, Any]:
        form = report_form(connection, report_id, _today(session))
        lines = []
        for line in form.lines:
            row = line.as_row()
            if sources:
                row["sources"] = [source.as_row() for source in sources_of(connection, line.id)]
            lines.append(row)
        return {**form.report.as_row(), "lines": lines}

    found = session.read(read)
    if as_json:
        print_json(found)
        return
    print_facts({key: value for key, value in found.items() if key != "lines"}, as_json=False)
    print_rows(found["lines"], _LINE_TABLE, as_json=False)
    for line in found["lines"]:
        for source in line.get("sources", ()):
            click.echo(f"{cell(line['item_name'])}: {source['figure']} {source['value']:g}: {cell(source['label'])}")


@reports.command()
@report_argument
@click.argument("item", metavar="ITEM")
@click.argument("pairs", metavar="FIGURE=VALUE…", nargs=-1, required=True)
@json_option
@click.pass_obj
def enter(session: Session, report_id: str, item: str, pairs: tuple[str, ...], as_json: bool) -> None:
    """Enter figures of one line, by the item's code; FIGURE= takes an entry back."""
    from app.clock import utc_now
    from app.reports.errors import UnknownReport
    from app.reports.forms import report_form
    from app.reports.writing import enter as act

    figures, now = dict(map(read_pair, pairs)), utc_now()
    remarks = figures.pop("remarks", None)

    def job(connection: Connection) -> dict[str, Any]:
        form = report_form(connection, report_id, _today(session))
        line = next((one for one in form.lines if item in (one.id, one.code, one.item)), None)
        if line is None:
            raise UnknownReport(f"{form.report.subject} has no line of the item {item}.")
        act(connection, report_id, line.id, figures, now=now, remarks=remarks)
        return next(
            one for one in report_form(connection, report_id, _today(session)).lines if one.id == line.id
        ).as_row()

    print_facts(session.write(job), as_json=as_json)


@reports.command()
@report_argument
@click.option("--from", "person", required=True, help="Who handed it in.")
@click.option("--at", help="When, as ISO 8601; now without it.", callback=moment)
@click.option("--comment", default="")
@json_option
@click.pass_obj
def receive(session: Session, report_id: str, person: str, at: datetime | None, comment: str, as_json: bool) -> None:
    """The facility has handed its report in, or a corrected one."""
    from app.clock import utc_now
    from app.reports.writing import receive as act

    now = utc_now()
    job = partial(act, report_id=report_id, received_from=person, received_at=at or now, now=now, comment=comment)
    _act(session, report_id, job, as_json=as_json)


@reports.command()
@report_argument
@click.argument("why", metavar="WHY")
@json_option
@click.pass_obj
def excuse(session: Session, report_id: str, why: str, as_json: bool) -> None:
    """This report is not expected, with the reason; WHY “-” takes it back."""
    from app.clock import utc_now
    from app.reports.writing import excuse as act

    _act(session, report_id, partial(act, report_id=report_id, why=why.strip("-"), now=utc_now()), as_json=as_json)


@reports.command(name="take-back")
@report_argument
@click.argument("why", metavar="WHY")
@json_option
@click.pass_obj
def take_back(session: Session, report_id: str, why: str, as_json: bool) -> None:
    """A report that was handed in or sent has to be corrected."""
    from app.clock import utc_now
    from app.reports.writing import take_back as act

    _act(session, report_id, partial(act, report_id=report_id, why=why, now=utc_now()), as_json=as_json)


@reports.command()
@report_argument
@json_option
@click.pass_obj
def check(session: Session, report_id: str, as_json: bool) -> None:
    """What must be mended before it is sent, line by line; exit status 1 where something stops it."""
    from app.reports.checks import check_report, stops

    found = session.read(partial(check_report, report_id=report_id, today=_today(session)))
    print_rows([one.as_row() for one in found], ("severity", "line", "figure", "what", "next"), as_json=as_json)
    stopping = stops(found)
    if stopping:
        what = "1 finding stops" if len(stopping) == 1 else f"{len(stopping)} findings stop"
        raise Refused(f"{what} this report. Mend what is listed, then check again.")


@reports.command()
@report_argument
@json_option
@click.pass_obj
def preview(session: Session, report_id: str, as_json: bool) -> None:
    """The exact requests that a sending would make now; nothing is sent or kept."""
    from app.reports.sending import prepare

    catalogue = session.catalogue

    def read(connection: Connection) -> dict[str, Any]:
        prepared = prepare(connection, catalogue, _taker_of(connection, session, report_id), report_id)
        return _shown(prepared)

    _print_plan(session.read(read), as_json=as_json)


@reports.command()
@report_argument
@click.option("--dry-run", is_flag=True, help="Show and keep the exact requests; send nothing.")
@click.option("--no-wait", is_flag=True, help="Ask for it and do not wait for its end.")
@json_option
@click.pass_obj
def send(session: Session, report_id: str, dry_run: bool, no_wait: bool, as_json: bool) -> None:
    """Send a report's stock to whoever takes it; the engine does it. ID may be an integration: all that goes there."""
    from app.clock import utc_now
    from app.engine.running import require_engine
    from app.reports.runs import ask_for_run, messages_of, rows_of, run_listing, save_dry_run
    from app.reports.sending import prepare

    catalogue, now = session.catalogue, utc_now()
    with session.store() as store:
        with store.read() as connection:
            taker = _taker_of(connection, session, report_id)
            own = None if taker == report_id else report_id
            prepared = prepare(connection, catalogue, taker, own) if dry_run else None
        if prepared is not None:
            job = partial(
                save_dry_run, integration_id=taker, report_id=own, plan=prepared.plan, rows=prepared.snapshot.rows,
                now=now,
            )  # fmt: skip
            run_id = store.write(job).result()
            _print_plan({"run": run_id, **_shown(prepared)}, as_json=as_json)
            return
        require_engine(store, session.clock)
        run_id, _command = store.write(partial(ask_for_run, integration_id=taker, report_id=own, now=now)).result()
        if not no_wait:
            _wait(store, session, run_id)
        with store.read() as connection:
            run = run_listing(connection, run_id)
            refused = rows_of(connection, run_id, ("refused", "held", "unconfirmed", "unsent"))
            messages = messages_of(connection, run_id)
    facts = {
        **run.as_row(), "lines": [one.as_row() for one in refused],
        "messages": [
            {"step": one.step, "store": one.store, "records": one.records, "status": one.status, "answer": one.answer,
             "digest": one.digest}
            for one in messages
        ],
    }  # fmt: skip
    if as_json:
        print_json(facts)
    else:
        print_facts({key: facts[key] for key in ("id", "to", "state", "detail", "accepted", "refused")}, as_json=False)
        print_rows(facts["lines"], ("line", "outcome", "why"), as_json=False)
    if run.state not in ("accepted", "nothing", "waiting", "running", "delayed"):
        raise Refused(run.detail)


@reports.command()
@report_argument
@click.option("--format", "file_format", type=click.Choice(["csv", "jsonl", "xlsx"]), default="csv", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="The file; standard output without.")
@click.option("--handed-over", metavar="HOW", help="Note that it went out so, e.g. “e-mail to the state office”.")
@click.pass_obj
def export(session: Session, report_id: str, file_format: Any, output: Path | None, handed_over: str | None) -> None:
    """A report as a file, for those who take no calls."""
    from app.clock import utc_now
    from app.reports.export import form_pieces
    from app.reports.forms import report_form
    from app.reports.writing import note_handed_over

    if output is None and file_format == "xlsx":
        raise click.UsageError("Give the spreadsheet a file with --output.")
    form = session.read(partial(report_form, report_id=report_id, today=_today(session)))
    data = b"".join(form_pieces(form, file_format))
    if output is not None:
        write_file(output, [data])
        click.echo(f"{len(form.lines)} lines written to {output}", err=True)
    else:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
    if handed_over is not None:
        session.write(partial(note_handed_over, report_id=report_id, how=handed_over, now=utc_now()))


@reports.command()
@json_option
@click.pass_obj
def runs(session: Session, as_json: bool) -> None:
    """What was sent, tried, and shown in dry runs, the newest first."""
    from app.reports.runs import list_runs

    rows = session.read(list_runs)
    columns = ("id", "to", "of", "state", "accepted", "refused", "held_back", "created_at", "detail")
    print_rows([row.as_row() for row in rows], columns, as_json=as_json)


@reports.command()
@json_option
@click.option("--all", "with_closed", is_flag=True, help="Also those that are done.")
@click.pass_obj
def tasks(session: Session, with_closed: bool, as_json: bool) -> None:
    """Lines that were refused or held back, and have to be mended."""
    from app.reports.tasks import list_tasks

    rows = session.read(partial(list_tasks, with_closed=with_closed))
    print_rows([row.as_row() for row in rows], ("id", "line", "kind", "why", "times", "state"), as_json=as_json)


@reports.command()
@click.option("--by", type=click.Choice(["programme", "facility", "period"]), default="programme", show_default=True)
@click.option("--since", type=click.DateTime(["%Y-%m-%d"]), help="Only periods that end on or after this day.")
@click.option("--where", "conditions", multiple=True, metavar="FIELD=VALUE", help="programme or facility.")
@json_option
@click.pass_obj
def compliance(session: Session, by: Any, since: datetime | None, conditions: tuple[str, ...], as_json: bool) -> None:
    """Reporting rate, timeliness, completeness and the other indicators, in percent."""
    from app.reports.compliance import INDICATORS, indicators

    wanted = _wanted(dict(map(read_pair, conditions)), since)
    found = session.read(partial(indicators, wanted=wanted, today=_today(session), by=by))
    print_rows([one.as_row() for one in found], ("name", "reports", *INDICATORS), as_json=as_json)


@reports.command()
@json_option
@click.pass_obj
def reminders(session: Session, as_json: bool) -> None:
    """Whom to ask for reports that are due, late, incomplete or rejected."""
    from app.reports.calendar import WantedReports
    from app.reports.compliance import reminders as read

    found = session.read(partial(read, wanted=WantedReports(), today=_today(session)))
    columns = ("facility", "zone", "programme", "period", "due_on", "days_late", "state", "why")
    print_rows([one.as_row() for one in found], columns, as_json=as_json)


def _act(session: Session, report_id: str, job: Callable[[Connection], object], *, as_json: bool) -> None:
    """One act in one transaction; prints the report that it left."""
    from app.reports.calendar import report_listing

    def both(connection: Connection) -> dict[str, Any]:
        job(connection)
        return report_listing(connection, report_id, _today(session)).as_row()

    print_facts(session.write(both), as_json=as_json)


def _today(session: Session) -> date:
    from app.reports.periods import local_day

    return local_day(session.clock.now_ms())


def _supply_kinds(session: Session) -> list[str]:
    from app.reports.sending import supply_kinds

    return supply_kinds(session.catalogue)


def _wanted(pairs: dict[str, str], since: datetime | None) -> Any:
    """Raises UsageError for a field or a state that there is not."""
    from app.reports.calendar import WantedReports
    from app.reports.states import ReportState

    names = {"state": "states", "programme": "programme_id", "facility": "facility", "id": "report_id"}
    values: dict[str, Any] = {}
    for field, value in pairs.items():
        if field not in names:
            raise click.UsageError(f"Reports cannot be filtered by “{field}”. They can by: {', '.join(names)}.")
        if field == "state":
            states = tuple(part.strip() for part in value.split(","))
            wrong = next((one for one in states if one not in set(ReportState)), None)
            if wrong is not None:
                raise click.UsageError(f"There is no state “{wrong}”. There are: {', '.join(ReportState)}.")
            values["states"] = states
        else:
            values[names[field]] = value
    return WantedReports(**values, since=since.date() if since is not None else None)


def _taker_of(connection: Connection, session: Session, wanted: str) -> str:
    """The integration that takes a report; ``wanted`` may be that integration itself. Raises Refused."""
    from app.reports.calendar import report_listing
    from app.reports.programmes import programme
    from app.reports.runs import takers
    from app.reports.sending import report_kinds

    if wanted in {one for one, _name in takers(connection, report_kinds(session.catalogue))}:
        return wanted
    report = report_listing(connection, wanted, _today(session))
    taker = programme(connection, report.programme_id).reports_to
    if not taker:
        raise Refused(
            f"No integration takes reports of {report.programme}. Set “reports_to”, or use “reports export {wanted}”."
        )
    return taker


def _shown(prepared: Any) -> dict[str, Any]:
    plan = prepared.plan
    subjects = {one.row.key: one.subject for one in prepared.snapshot.rows}
    held = [(one.subject, one.why_held) for one in prepared.snapshot.rows if one.why_held]
    held += [(subjects.get(one.key, one.key), one.why) for one in plan.held_back]
    return {
        "to": prepared.configured.name,
        "approved": plan.is_approved,
        "approval_code": plan.approval_code,
        "requests": [
            {
                "step": one.step, "store": one.store, "method": one.method, "url": one.url,
                "headers": dict(one.headers), "body": one.body_text, "records": len(one.records), "digest": one.digest,
            }
            for one in plan.requests
        ],
        "held_back": [{"line": subject, "why": why} for subject, why in held],
    }  # fmt: skip


def _print_plan(shown: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(shown)
        return
    for one in shown["requests"]:
        click.echo(f"{one['method']} {cell(one['url'])}    # {one['step']} of {cell(one['store'])}")
        for name, value in one["headers"].items():
            click.echo(f"{cell(name)}: {cell(value)}")
        click.echo(f"\n{cell(one['body'])}\n")
    for one in shown["held_back"]:
        click.echo(f"held back: {cell(one['line'])}: {cell(one['why'])}")
    approved = "yes" if shown["approved"] else f"no; its code is {shown['approval_code']}"
    click.echo(f"Nothing was sent. Approved: {approved}.")


def _wait(store: Store, session: Session, run_id: str) -> None:
    """Until a run has ended. Raises Refused where no engine ends it."""
    from app.engine.running import require_engine
    from app.reports.runs import UNDER_WAY, run_listing

    ends = time.monotonic() + _WAIT_S
    while time.monotonic() < ends:
        with store.read() as connection:
            if run_listing(connection, run_id).state not in UNDER_WAY:
                return
        require_engine(store, session.clock)
        time.sleep(_LOOK_S)
    raise Refused("The engine did not end this within 10 minutes. Look at “reports list”, and at the log.")
