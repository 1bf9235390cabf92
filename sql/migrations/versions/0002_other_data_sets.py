"""Cases and evaluations beside certificates, on the same road."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Run `0002_other_data_sets.sql`."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
