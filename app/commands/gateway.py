"""``gateway``: the engine without a window."""

from __future__ import annotations

import click

from app.commands.session import Session


@click.command()
@click.option("--started-by", type=click.Choice(["console", "service"]), default="service", hidden=True)
@click.option("--passphrase-on-stdin", is_flag=True, help="The first line of standard input opens the secrets' file.")
@click.pass_context
def gateway(ctx: click.Context, started_by: str, passphrase_on_stdin: bool) -> None:
    """Run the engine until SIGINT, SIGTERM or a line “stop” on standard input."""
    from app.engine.gateway import GatewayOptions, run_gateway

    session = ctx.ensure_object(Session)
    ctx.exit(
        run_gateway(
            GatewayOptions(
                paths=session.paths,
                database_url=session.database,
                vault_key_file=session.vault_key_file,
                file_vault_only=session.file_vault_only,
                passphrase_on_stdin=passphrase_on_stdin,
                started_by=started_by,
                debug=session.debug,
            )
        )
    )
