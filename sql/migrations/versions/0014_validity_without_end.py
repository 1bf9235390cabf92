"""Whether a certificate's validity was told to have no end, beside the end; and what can be known of stored ones."""

import logging
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"

log = logging.getLogger("zhengku.migrations")

_MARKED = sa.text(
    "select 'store.certificate' as stored, count(*) as rows, count(valid_without_end) as told"
    " from store.certificate where valid_to is null union all"
    " select 'store.certificate_history', count(*), count(valid_without_end)"
    " from store.certificate_history where valid_to is null"
)


def upgrade() -> None:
    """Run `0014_validity_without_end.sql`, and log what was marked.

    The end of a certificate was null for "valid for good" and for "not told" alike.
    """
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    for stored, rows, told in op.get_bind().execute(_MARKED):
        if rows:
            log.warning(
                "%s: of %d versions without an end, %d are valid for good by their validity in words; of %d it is not "
                "known until they come again whether that or no end was told",
                stored,
                rows,
                told,
                rows - told,
            )
