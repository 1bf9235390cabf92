"""Keys in the form in which codes are compared: brackets, dashes and what nobody sees make no other record."""

from pathlib import Path

from alembic import op

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Run `0013_record_keys.sql`."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
