"""Blocks of the tree's nodes beside the records that complete them, so that a proof finds its nodes in one place."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

MOST_LEVELS = 7
FILL = """
WITH made AS (
  SELECT log, max(idx) AS idx, string_agg(substring(hashes FROM :from FOR 256), ''::bytea ORDER BY idx) AS block
  FROM brightline.entries WHERE idx % :step = :step - 1 GROUP BY log, idx / (256 * :step) HAVING count(*) = 256
)
UPDATE brightline.entries e SET blocks = coalesce(e.blocks, ''::bytea) || made.block
FROM made WHERE e.log = made.log AND e.idx = made.idx
"""


def upgrade() -> None:
    """Add the column, and fill it from the hashes beside records. Logs can't be read meanwhile."""
    op.add_column("entries", sa.Column("blocks", sa.LargeBinary), schema="brightline")
    op.execute("ALTER TABLE brightline.entries ALTER COLUMN blocks SET STORAGE EXTERNAL")  # hashes can't be compressed
    op.execute("ALTER TABLE brightline.entries DISABLE TRIGGER unchanged")
    for level in range(MOST_LEVELS):
        values = {"from": 1 + 256 * level, "step": 256**level}
        if not op.get_bind().execute(sa.text(FILL), values).rowcount:
            break
    op.execute("ALTER TABLE brightline.entries ENABLE TRIGGER unchanged")
