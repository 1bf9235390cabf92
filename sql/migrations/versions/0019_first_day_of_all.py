"""Times before 1900 are of the first day of all in the roll-up by day: it is made anew."""

from alembic import op

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Let the next reconciliation make the roll-up from all rows."""
    op.execute("delete from reconciliation.store_batch")
