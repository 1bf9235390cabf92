"""Evidence that cannot be rewritten unnoticed: seals, and what they need of the tables of evidence."""

from pathlib import Path

from alembic import op

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Run `0021_evidence.sql`."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
