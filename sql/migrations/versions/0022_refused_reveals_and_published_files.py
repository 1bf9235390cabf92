"""Refused tries to see a telephone number, and the digests of files that pages hand over."""

from pathlib import Path

from alembic import op

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Run `0022_refused_reveals_and_published_files.sql`."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
