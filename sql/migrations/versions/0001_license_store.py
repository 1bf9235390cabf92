"""The license store, its history, the batch ledger and the quarantine."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the schemas and tables of `0001_license_store.sql`."""
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
