"""Alembic runs this to migrate, on the connection that `migrate` provides."""

from __future__ import annotations

from alembic import context

from gateway.audit.postgres.schema import SCHEMA, metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    version_table_schema=SCHEMA,
    include_schemas=True,
    include_name=lambda name, kind, _: kind != "schema" or name == SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
