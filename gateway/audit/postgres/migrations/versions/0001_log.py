"""Logs of several gateways, and lock stores of logs elsewhere."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SCHEMA = "brightline"
REFUSE = """
CREATE FUNCTION brightline.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'nothing is changed in or removed from %', TG_TABLE_NAME; END $$
"""
GROW = """
CREATE FUNCTION brightline.grow() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.origin <> OLD.origin OR NEW.size < OLD.size OR (NEW.size = OLD.size AND NEW.note <> OLD.note) THEN
    RAISE EXCEPTION 'there is a later checkpoint of %, over % entries', OLD.origin, OLD.size;
  END IF;
  RETURN NEW;
END $$
"""


def upgrade() -> None:
    """Create the tables. Rows are never changed: a trigger refuses, and a gateway's role lacks the right."""
    op.create_table(
        "logs",
        sa.Column("id", sa.Integer, sa.Identity(always=True), primary_key=True),
        sa.Column("format", sa.Integer, nullable=False),
        sa.Column("origin", sa.Text, nullable=False),
        sa.UniqueConstraint("origin", name="logs_by_origin"),
        schema=SCHEMA,
    )
    op.create_table(
        "entries",
        sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("idx", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("leaf", sa.LargeBinary, nullable=False),
        sa.Column("hashes", sa.LargeBinary, nullable=False),
        sa.Column("decision_id", sa.Text, nullable=False),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("time_us", sa.BigInteger, nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("idempotency_key", sa.Text),
        schema=SCHEMA,
    )
    op.create_index("entries_by_decision", "entries", ["decision_id", "kind"], schema=SCHEMA)
    op.create_index(
        "entries_by_key",
        "entries",
        ["tenant", "idempotency_key"],
        unique=True,
        postgresql_where=sa.text("idempotency_key IS NOT NULL"),
        schema=SCHEMA,
    )
    op.create_index("entries_by_time", "entries", ["time_us", "log", "idx"], schema=SCHEMA)
    op.create_table(
        "checkpoints",
        sa.Column("log", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        schema=SCHEMA,
    )
    op.create_table(
        "locks",
        sa.Column("origin", sa.Text, primary_key=True),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("note", sa.LargeBinary, nullable=False),
        schema=SCHEMA,
    )
    op.execute(REFUSE)
    op.execute(GROW)
    for table in ("logs", "entries", "checkpoints"):
        op.execute(
            f"CREATE TRIGGER unchanged BEFORE UPDATE OR DELETE OR TRUNCATE ON brightline.{table}"
            " FOR EACH STATEMENT EXECUTE FUNCTION brightline.refuse()"
        )
    op.execute(
        "CREATE TRIGGER kept BEFORE DELETE OR TRUNCATE ON brightline.locks"
        " FOR EACH STATEMENT EXECUTE FUNCTION brightline.refuse()"
    )
    op.execute("CREATE TRIGGER grows BEFORE UPDATE ON brightline.locks FOR EACH ROW EXECUTE FUNCTION brightline.grow()")
