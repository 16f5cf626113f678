"""``supply``: changes of requisitions and shipments that a peer allows; they wait in the outbox."""

from __future__ import annotations

import sys

import click

from app.commands.output import Refused, json_option, print_facts
from app.commands.session import Session
from app.commands.words import read_pair

RECORDS = ("requisition-line", "requisition", "shipment", "shipment-line")


@click.group()
def supply() -> None:
    """Items, stock, requisitions and shipments of the supply systems."""


@supply.command(name="set")
@click.argument("record", type=click.Choice(RECORDS))
@click.argument("record_id", metavar="ID")
@click.argument("pairs", metavar="FIELD=VALUE…", nargs=-1, required=True)
@click.option("--yes", is_flag=True, help="Do not ask where the change does more than it says.")
@json_option
@click.pass_obj
def set_(session: Session, record: str, record_id: str, pairs: tuple[str, ...], yes: bool, as_json: bool) -> None:
    """Change fields of one record: saved here at once, sent when the peer can be reached."""
    from app.clock import utc_now
    from app.sync.listing import outbox_row
    from app.sync.outbox import prepare_change, queue_change

    values = dict(map(read_pair, pairs))
    kind = record.replace("-", "_")
    catalogue = session.catalogue
    with session.store() as store:
        with store.read() as connection:
            prepared = prepare_change(connection, catalogue, kind, record_id, values)
        if prepared.write.effect:
            click.echo(prepared.write.effect, err=True)
            if not yes and sys.stdin.isatty() and not click.confirm("Make this change?", err=True):
                raise Refused("Nothing was changed.")
        item_id = store.write(
            lambda connection: queue_change(connection, catalogue, kind, record_id, values, now=utc_now())
        ).result()
        with store.read() as connection:
            row = outbox_row(connection, item_id)
    print_facts(row.as_row(), as_json=as_json)


@supply.command()
@click.argument("order_id", metavar="ORDER")
@click.argument("shipment_id", metavar="SHIPMENT")
@json_option
@click.pass_obj
def tell(session: Session, order_id: str, shipment_id: str, as_json: bool) -> None:
    """Tell the system of ORDER (NHLMIS) that SHIPMENT went out for it: saved here at once, sent like every change."""
    from app.clock import utc_now
    from app.sync.listing import outbox_row
    from app.sync.shipped import queue_shipped

    catalogue = session.catalogue
    with session.store() as store:
        item_id = store.write(
            lambda connection: queue_shipped(connection, catalogue, order_id, shipment_id, now=utc_now())
        ).result()
        with store.read() as connection:
            row = outbox_row(connection, item_id)
    print_facts(row.as_row(), as_json=as_json)
