"""Whether a certificate's validity was told to have no end, beside the end; and what can be known of stored ones."""

import logging
from pathlib import Path

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0012"

log = logging.getLogger("zhengku.migrations")


def upgrade() -> None:
    """Run `0014_validity_without_end.sql`, then mark the stored certificates without an end, and log how many.

    Their end was null for both: only the validity in words may still tell. Of the others it is not known; they say so
    until they come again.
    """
    op.execute(Path(__file__).with_suffix(".sql").read_text(encoding="utf-8"))
    for table in ("certificate", "certificate_history"):
        marked = sa.text(
            f"update store.{table} set valid_without_end ="  # noqa: S608 - one of two names
            " case when validity ~ '(^|[0-9日] ?[至到~—-]+ ?)(长期|永久|终身|无固定期限?|无期限|无限期|不约定期限)(有效)?$'"
            " then true end where valid_to is null returning valid_without_end"
        )
        known = sa.text(
            "select count(*), count(valid_without_end) from ("
            f"select valid_without_end from store.{table} where valid_to is null) as endless"  # noqa: S608
        )
        op.get_bind().execute(marked)
        rows, told = op.get_bind().execute(known).one()
        log.warning(
            "store.%s: of %d versions without an end, %d are told to be valid for good; of %d it is not known whether "
            "that or no end was told, until the certificate comes again",
            table,
            rows,
            told,
            rows - told,
        )
