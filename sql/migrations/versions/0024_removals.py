"""What was removed because it was too old."""

from pathlib import Path

from alembic import op

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Run `0024_removals.sql`."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
