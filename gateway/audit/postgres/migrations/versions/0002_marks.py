"""A mark beside the last record of each commit, by which a gateway recognises what it wrote."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the column. Existing rows have no marks, and need none below a checkpoint."""
    op.add_column("entries", sa.Column("mark", sa.LargeBinary), schema="brightline")
