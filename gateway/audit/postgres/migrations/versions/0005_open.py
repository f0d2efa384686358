"""The index below which every intent is closed, beside each checkpoint, so that a start skips older records."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the column. No row is rewritten."""
    op.add_column("checkpoints", sa.Column("open_from", sa.BigInteger), schema="brightline")
