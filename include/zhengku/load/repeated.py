"""Keys that come more than once in a delivery."""

from typing import Any

import psycopg
from psycopg import sql

from zhengku.database import statement


def find_repeated(connection: psycopg.Connection[Any], keyed: sql.Composable) -> None:
    """Write the staging table `repeated_hash (key_hash)`: the hashes that more than one row of the query `keyed` has.

    Runs in the caller's transaction; a table that was there before is replaced. In a table of its own, for what is
    joined with it can then be read by parallel workers.
    """
    connection.execute("drop table if exists repeated_hash")
    # Parallel workers sort hashes in half the time that one process takes to count them in a table of all.
    connection.execute("set local enable_hashagg = off")
    connection.execute(statement("load/recognise.repeated_hash").format(keyed=keyed))
    connection.execute("reset enable_hashagg")
    connection.execute("analyze repeated_hash")


def find_repeated_of_batch(connection: psycopg.Connection[Any]) -> None:
    """Write `repeated_hash` of the batch's staged rows, unless it is there: since they were recognised or validated."""
    found = connection.execute("select to_regclass('repeated_hash')").fetchone()
    if found is None or found[0] is None:
        find_repeated(connection, sql.SQL("select hashtextextended(record_key, 0) as key_hash from staged_row"))
