"""What is out of order, and what people were told of it."""

from pathlib import Path

from alembic import op

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Run `0023_watch.sql`."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
