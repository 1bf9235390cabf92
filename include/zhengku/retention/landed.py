"""Landed deliveries that are too old, and which of them something still needs (`sql/retention/landed.sql`)."""

from datetime import datetime, timedelta
from typing import Any

from psycopg.rows import class_row

from zhengku.catalog.retention_config import RetentionConfig
from zhengku.database import statement, store_connection
from zhengku.landed.landing import LandingArea
from zhengku.ledger import Connection
from zhengku.retention.removal import Old, Planned, complete, record_removals

PIECE = 500
"""Files that are decided about, removed and completed at once; meanwhile no batch is recorded."""


def rule_of_landed(config: RetentionConfig) -> str:
    """Return the rule as records name it."""
    return f"landed_days: {config.landed_days}"


def plan_landed(connection: Connection, config: RetentionConfig, now: datetime) -> Planned:
    """Count the landed files that are too old; one at a time, however many they are."""
    planned = Planned("landed", "", rule_of_landed(config), bytes=0)
    with connection.cursor("zhengku_retention", row_factory=class_row(Old)) as cursor:
        cursor.execute(statement("retention/landed.verdicts"), _values(config, now, only_removable=False, limit=None))
        for old in cursor:
            planned.add(old)
    return planned


def remove_landed(url: str, landing: LandingArea, config: RetentionConfig, now: datetime, most: int) -> int:
    """Remove at most `most` landed files that are too old and that nothing needs; return how many.

    Raises `LandingUnavailable` when the landing area is away.
    """
    removed = 0
    while removed < most:
        limit = min(PIECE, most - removed)
        with store_connection(url) as connection:
            connection.execute(statement("retention/landed.lock_out"))
            with connection.cursor(row_factory=class_row(Old)) as cursor:
                found = cursor.execute(
                    statement("retention/landed.verdicts"), _values(config, now, only_removable=True, limit=limit)
                ).fetchall()
            removal_ids = record_removals(connection, "landed", rule_of_landed(config), found)
        for old in found:
            landing.remove(old.name)
        with store_connection(url) as connection:
            complete(connection, removal_ids)
        removed += len(found)
        if len(found) < limit:
            break
    return removed


def _values(config: RetentionConfig, now: datetime, *, only_removable: bool, limit: int | None) -> dict[str, Any]:
    return {
        "before": now - timedelta(days=config.landed_days),
        "settled_before": now - timedelta(days=config.backup_days),
        "only_removable": only_removable,
        "limit": limit,
    }
