"""The store: tables, migrations, the one writer, and queries by subject."""
