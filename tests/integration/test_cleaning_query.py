"""What the cleaning makes of single values, by the statement that the stage step runs."""

import datetime
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

from zhengku.catalog import load_catalog
from zhengku.catalog.department import FieldMapping
from zhengku.stage.cleaning import cleaning_query

CATALOG = load_catalog(Path(__file__).resolve().parents[2] / "include" / "catalog")
SHIPPED = CATALOG.feed("market_supervision", "business_license")


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[dict[str, Any]]]:
    with psycopg.connect(database_url.replace("+psycopg", ""), row_factory=dict_row) as connection:
        yield connection


def cleaned(connection: psycopg.Connection[dict[str, Any]], rows: list[dict[str, str]], **fields: Any) -> list[Any]:
    """Clean rows under the shipped feed with more fields mapped."""
    more = {name: FieldMapping(**mapping) for name, mapping in fields.items()}
    feed = SHIPPED.model_copy(update={"fields": {**SHIPPED.fields, **more}})
    feed.__dict__.pop("required_columns", None)
    columns = feed.required_columns
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


FAR = [
    "2099-12-31",
    "2099/12/31",
    "20991231",
    "2099年12月31日",
    "9999-12-31",
    "9999.12.31",
    "99991231",
    "9999年12月31日",
]
FAR += ["2099-12-31 00:00:00", "9999-12-31T23:59:59", "2099/12/31 0:00", "99991231235959", "2099-12-31 23:59:59.0"]


@pytest.mark.parametrize("forms", [["iso"], ["iso", "slash", "compact", "chinese"]])
def test_far_days_and_words_mean_no_end_in_every_form(
    connection: psycopg.Connection[dict[str, Any]], forms: list[str]
) -> None:
    rows = [{"到期": text} for text in [*FAR, "长期", "永久有效"]]
    found = cleaned(connection, rows, valid_to={"column": "到期", "date_forms": forms})
    assert [(row["valid_to"], row["valid_to_unparsed"]) for row in found] == [(None, None)] * len(rows)


def test_other_ends_are_days_or_unparsed(connection: psycopg.Connection[dict[str, Any]]) -> None:
    texts = ["2099-12-30 00:00:00", "9999-12-30", "2099-13-31", "长期有效期", "", "2030/1/1"]
    found = cleaned(connection, [{"到期": text} for text in texts], valid_to={"column": "到期", "date_forms": ["iso"]})
    assert [(row["valid_to"], row["valid_to_unparsed"]) for row in found] == [
        (datetime.date(2099, 12, 30), None),
        (datetime.date(9999, 12, 30), None),
        (None, "2099-13-31"),
        (None, "长期有效期"),
        (None, None),
        (None, "2030/1/1"),
    ]


def test_far_day_is_no_end_only_where_an_end_stands(connection: psycopg.Connection[dict[str, Any]]) -> None:
    [row] = cleaned(connection, [{"起始": "2099-12-31"}], valid_from={"column": "起始"})
    assert row["valid_from"] == datetime.date(2099, 12, 31)


def test_fields_with_a_code_that_is_not_listed_are_named(connection: psycopg.Connection[dict[str, Any]]) -> None:
    rows = [
        {"主体类型": "1", "事项": "A", "状态": "0"},
        {"主体类型": "9", "事项": "A", "状态": "0"},
        {"主体类型": "9", "事项": "B", "状态": "7"},
        {"主体类型": "", "事项": None, "状态": "7"},
    ]
    found = cleaned(
        connection,
        rows,
        holder_code_type={"column": "主体类型", "codes": {"1": "001"}},
        service_item_code={"column": "事项", "codes": {"A": "100"}},
        status={"column": "状态", "codes": {"0": "valid"}},
    )
    assert [(row["holder_code_type"], row["codes_unmapped"], row["status_unmapped"]) for row in found] == [
        ("001", None, None),
        (None, "holder_code_type", None),
        (None, "holder_code_type,service_item_code", "7"),
        (None, None, "7"),
    ]


def test_feed_without_codes_has_none_unmapped(connection: psycopg.Connection[dict[str, Any]]) -> None:
    [row] = cleaned(connection, [{}])
    assert (row["codes_unmapped"], row["status_unmapped"]) == (None, None)


def test_alias_as_constant_stands_for_its_district(connection: psycopg.Connection[dict[str, Any]]) -> None:
    [row] = cleaned(connection, [{}], district={"constant": "鄂城区"})
    assert row["district"] == "echeng"
