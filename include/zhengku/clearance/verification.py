"""Whether a published list agrees with the store."""

from dataclasses import dataclass

from psycopg.rows import class_row

from zhengku.clearance.lists import Connection, ListVersion, list_record
from zhengku.database import statement


@dataclass(frozen=True)
class Discrepancy:
    """A service whose section on a list is not what the store says now; None: not on it, or not to be on it."""

    record_key: str
    listed: str | None
    by_store: str | None


def discrepancies(connection: Connection, published: ListVersion) -> list[Discrepancy]:
    """Compare a list with the store by a plain search of it all; return the services where they differ.

    For the newest list: whatever was loaded since it was published is a difference too.
    """
    kept = list_record(connection, "clearance/lists.list_by_id", {"list_id": published.list_id})
    assert kept is not None
    values = {**kept.members, **kept.limits}
    with connection.cursor(row_factory=class_row(Discrepancy)) as cursor:
        return cursor.execute(statement("clearance/verify_list.verify_list"), values).fetchall()
