"""Keys that a delivery has more than once."""

from typing import Any

import psycopg
from psycopg import sql

from zhengku.database import statement


def find_repeated(connection: psycopg.Connection[Any], keyed: sql.Composable) -> None:
    """Write the staging table `repeated_hash (key_hash)`: the hashes that more than one row of the query `keyed` has.

    Runs in the caller's transaction; an earlier table is replaced. It is a table of its own so that parallel workers
    can read the tables that are joined with it.
    """
    connection.execute("drop table if exists repeated_hash")
    # Parallel workers sort hashes in half the time that one process takes to count them in a hash table.
    connection.execute("set local enable_hashagg = off")
    connection.execute(statement("load/recognise.repeated_hash").format(keyed=keyed))
    connection.execute("reset enable_hashagg")
    connection.execute("analyze repeated_hash")


def find_repeated_of_batch(connection: psycopg.Connection[Any]) -> None:
    """Write `repeated_hash` of the batch's staged rows, unless recognising or validating them has written it."""
    found = connection.execute("select to_regclass('repeated_hash')").fetchone()
    if found is None or found[0] is None:
        find_repeated(connection, sql.SQL("select hashtextextended(record_key, 0) as key_hash from staged_row"))
