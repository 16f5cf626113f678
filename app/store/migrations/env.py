"""Runs the steps on the connection that :mod:`app.store.migrate` lends, inside its transaction."""

from __future__ import annotations

from alembic import context

context.configure(connection=context.config.attributes["connection"], render_as_batch=True)
context.run_migrations()
