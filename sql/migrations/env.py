"""Alembic environment: migrations run on the connection that `zhengku.database.upgrade` hands over."""

from alembic import context

connection = context.config.attributes["connection"]
context.configure(connection=connection, version_table="schema_version", version_table_schema="ledger")
with context.begin_transaction():
    context.run_migrations()
