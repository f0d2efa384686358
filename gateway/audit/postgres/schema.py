"""The tables after the last migration. Alembic compares them with what the migrations make."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Column,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)

SCHEMA = "brightline"
metadata = MetaData(schema=SCHEMA)

logs = Table(
    "logs",
    metadata,
    Column("id", Integer, Identity(always=True), primary_key=True),
    Column("format", Integer, nullable=False),
    Column("origin", Text, nullable=False),
    UniqueConstraint("origin", name="logs_by_origin"),
)
entries = Table(
    "entries",
    metadata,
    Column("log", Integer, primary_key=True, autoincrement=False),
    Column("idx", BigInteger, primary_key=True, autoincrement=False),
    Column("leaf", LargeBinary, nullable=False),
    Column("hashes", LargeBinary, nullable=False),
    Column("decision_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("time_us", BigInteger, nullable=False),
    Column("tenant", Text, nullable=False),
    Column("idempotency_key", Text),
    Column("mark", LargeBinary),
    Column("blocks", LargeBinary),
    Index("entries_by_decision", "decision_id", "kind"),
    Index(
        "entries_by_key",
        "tenant",
        "idempotency_key",
        unique=True,
        postgresql_where=text("idempotency_key IS NOT NULL"),
    ),
    Index("entries_by_time", "time_us", "log", "idx"),
    Index("entries_of_releases", "log", "idx", postgresql_where=text("kind IN ('start', 'release')")),
)
checkpoints = Table(
    "checkpoints",
    metadata,
    Column("log", Integer, primary_key=True, autoincrement=False),
    Column("size", BigInteger, primary_key=True, autoincrement=False),
    Column("note", LargeBinary, nullable=False),
    Column("open_from", BigInteger),
)
locks = Table(
    "locks",
    metadata,
    Column("origin", Text, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("note", LargeBinary, nullable=False),
)
