"""Comparison of a published list with the store."""

from dataclasses import dataclass

from psycopg.rows import class_row

from zhengku.clearance.list_versions import ListVersion, record_of
from zhengku.database import statement
from zhengku.ledger import Connection


@dataclass(frozen=True)
class Discrepancy:
    """A service whose section on a list (`listed`) differs from that by the store now (`by_store`); None: not on it."""

    record_key: str
    listed: str | None
    by_store: str | None


def discrepancies(connection: Connection, list_version: ListVersion) -> list[Discrepancy]:
    """Compare a list with a plain search of the entire store; return the services where they differ.

    Meant for the newest list; data loaded since it was published is a difference, too.
    """
    record = record_of(connection, list_version)
    values = {**record.members, **record.limits}
    with connection.cursor(row_factory=class_row(Discrepancy)) as cursor:
        return cursor.execute(statement("clearance/verify_list.verify_list"), values).fetchall()
