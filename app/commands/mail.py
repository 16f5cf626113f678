"""``mail``: the mail server that invitations are sent by, its test, the template and the queue."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from app.commands.output import Refused, cell, json_option, print_facts, print_json, print_rows
from app.commands.session import Session
from app.commands.words import read_fields, read_secrets

if TYPE_CHECKING:
    from sqlalchemy import Connection

_STATES = ("waiting", "sending", "sent", "refused", "doubtful", "cancelled")
_LONGEST_FILE = 100_000


@click.group()
def mail() -> None:
    """Mail of invitations: server, test, template, queue."""


@mail.command()
@click.option("--set", "sets", multiple=True, metavar="FIELD=VALUE", help="A setting.")
@click.option(
    "--secret", "secrets", multiple=True, metavar="FIELD=env:VAR|file:PATH", help="Where to read the password from."
)
@json_option
@click.pass_obj
def settings(session: Session, sets: Sequence[str], secrets: Sequence[str], as_json: bool) -> None:
    """Show the settings; with --set or --secret change them first."""
    from app.mail.listing import mail_overview
    from app.mail.settings import MailSettings, get_mail_settings, save_mail_settings

    values, hidden = read_fields(MailSettings, sets), read_secrets(MailSettings, secrets)
    with session.store() as store:
        if values or hidden:
            save_mail_settings(store, session.vault, values, hidden)
        with store.read() as connection:
            saved, overview = get_mail_settings(connection), mail_overview(connection)
    if saved is None:
        raise Refused("No mail server is set up. Enter one with “mail settings --set host=… --set sender=…”.")
    facts = saved.as_row()
    if overview.trouble:
        facts["trouble"] = overview.trouble
    print_facts(facts, as_json=as_json)


@mail.command()
@click.option("--to", "recipient", default="", metavar="ADDRESS", help="Default: the sender itself.")
@json_option
@click.pass_obj
def test(session: Session, recipient: str, as_json: bool) -> None:
    """Send a test mail with the saved settings; names the layer that failed."""
    from app.clock import utc_now
    from app.mail.check import send_test_mail
    from app.mail.settings import get_mail_settings, stored_password

    saved = session.read(get_mail_settings)
    if saved is None:
        raise Refused("No mail server is set up. Enter one with “mail settings --set host=… --set sender=…”.")
    report = send_test_mail(saved.as_row(), stored_password(session.vault), recipient, utc_now())
    if as_json:
        print_json(report.as_json())
    else:
        for step in report.layers:
            mark = "ok  " if step.ok else "FAIL"
            click.echo(f"{mark} {step.layer.value.replace('_', ' '):12} {cell(step.detail)}")
    if not report.ok:
        raise Refused(report.why)


@mail.command()
@click.option("--subject", help="A new subject.")
@click.option(
    "--body-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A file with the new text, UTF-8.",
)
@click.option("--default", "is_default", is_flag=True, help="Go back to the text that the program came with.")
@click.option(
    "--preview", "is_preview", is_flag=True, help="With examples in place of the placeholders; saves nothing."
)
@json_option
@click.pass_obj
def template(
    session: Session, subject: str | None, body_file: Path | None, is_default: bool, is_preview: bool, as_json: bool
) -> None:
    """Show the mail of invitations, or change it; placeholders are checked before anything is saved."""
    from app.mail.settings import get_mail_settings
    from app.mail.templates import DEFAULT, Template, get_template, preview, save_template

    with session.store() as store:
        with store.read() as connection:
            old, saved = get_template(connection), get_mail_settings(connection)
        if is_default:
            old = DEFAULT
        body = old.body if body_file is None else _read_text(body_file)
        wanted = Template(old.subject if subject is None else subject, body)
        if is_preview:
            shown = preview(wanted, "" if saved is None else saved.settings.depot_name)
            print_facts({"subject": shown.subject, "text": shown.body}, as_json=as_json)
            return
        if is_default or subject is not None or body_file is not None:
            wanted = store.write(partial(save_template, template=wanted)).result()
    print_facts({"subject": wanted.subject, "text": wanted.body}, as_json=as_json)


def _read_text(file: Path) -> str:
    try:
        content = file.read_bytes()
        if len(content) > _LONGEST_FILE:
            raise Refused(f"{file} is too long to be the text of a mail.")
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as err:
        raise Refused(f"{file} is no text in UTF-8. Save it as UTF-8, then try again.") from err
    except OSError as err:
        raise Refused(f"{file} cannot be read: {err.strerror}.") from err


@mail.group()
def queue() -> None:
    """Mails that wait, went out, or were refused."""


@queue.command(name="list")
@click.option("--state", type=click.Choice(_STATES), help="Only in this state.")
@json_option
@click.pass_obj
def queue_list(session: Session, state: str | None, as_json: bool) -> None:
    """The newest first."""
    from app.mail.listing import COLUMNS, list_mails
    from app.mail.words import MailState

    states = () if state is None else (MailState(state),)
    print_rows([row.as_row() for row in session.read(partial(list_mails, states=states))], COLUMNS, as_json=as_json)


@queue.command(name="retry")
@click.argument("mail_id", metavar="ID")
@json_option
@click.pass_obj
def queue_retry(session: Session, mail_id: str, as_json: bool) -> None:
    """Send it as soon as the line allows; one in doubt may arrive twice."""
    from app.mail.queue import retry_mail

    print_facts(session.write(partial(_then_shown, act=retry_mail, mail_id=mail_id)), as_json=as_json)


@queue.command(name="cancel")
@click.argument("mail_id", metavar="ID")
@json_option
@click.pass_obj
def queue_cancel(session: Session, mail_id: str, as_json: bool) -> None:
    """Give it up; the invitation stays."""
    from app.clock import utc_now
    from app.mail.queue import cancel_mail

    act = partial(cancel_mail, now=utc_now())
    print_facts(session.write(partial(_then_shown, act=act, mail_id=mail_id)), as_json=as_json)


def _then_shown(connection: Connection, act: Any, mail_id: str) -> dict[str, Any]:
    from app.mail.listing import mail_row

    act(connection, mail_id)
    return mail_row(connection, mail_id).as_row()
