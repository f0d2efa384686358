"""An index of starts and releases. A start of a gateway looks for them, however many other records follow."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Create the index. Logs can be read meanwhile."""
    op.create_index(
        "entries_of_releases",
        "entries",
        ["log", "idx"],
        schema="brightline",
        postgresql_where=sa.text("kind IN ('start', 'release')"),
    )
