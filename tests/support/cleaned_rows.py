"""Rows as the stage step cleans them, by its own statement."""

import datetime
from typing import Any

import psycopg
from psycopg import sql

from zhengku.catalog import load_catalog
from zhengku.catalog.department import FieldMapping
from zhengku.settings import project_home
from zhengku.stage.cleaning import cleaning_query

CATALOG = load_catalog(project_home() / "include" / "catalog")
SHIPPED = CATALOG.feed("market_supervision", "business_license")


def cleaned(connection: psycopg.Connection[dict[str, Any]], rows: list[dict[str, str]], **fields: Any) -> list[Any]:
    """Clean rows under the shipped feed with more fields mapped."""
    more = {name: FieldMapping(**mapping) for name, mapping in fields.items()}
    feed = SHIPPED.model_copy(update={"fields": {**SHIPPED.fields, **more}})
    feed.__dict__.pop("required_columns", None)
    columns = feed.required_columns
    connection.execute("drop table if exists delivered")
    connection.execute(
        sql.SQL("create temporary table delivered (row_no bigint, {})").format(
            sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(f"c{n}")) for n in range(1, len(columns) + 1))
        )
    )
    with connection.cursor().copy("copy delivered from stdin") as copy:
        for number, row in enumerate(rows, start=1):
            copy.write_row([number, *(row.get(column) for column in columns)])
    landed_at = datetime.datetime(2026, 11, 23, tzinfo=datetime.UTC)
    query = cleaning_query(feed, CATALOG, columns, landed_at, sql.Identifier("delivered"))
    return connection.execute(sql.SQL("{} order by row_no").format(query)).fetchall()
