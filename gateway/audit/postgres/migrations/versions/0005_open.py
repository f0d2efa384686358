"""Beside a checkpoint the index below which every intent is closed, so that a start need not look at older ones."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column. Nothing is rewritten."""
    op.add_column("checkpoints", sa.Column("open_from", sa.BigInteger), schema="brightline")
