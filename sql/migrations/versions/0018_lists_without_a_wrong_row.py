"""Lists without a wrong row: a parameter's name, both readings of 日清率, what was known at a publishing."""

from pathlib import Path

from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Run `0018_lists_without_a_wrong_row.sql`."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
