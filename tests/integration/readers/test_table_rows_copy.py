"""Any rows, through the landed form and the reader, into PostgreSQL."""

import io
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhengku.landed.row_file import first_line, last_line, row_lines
from zhengku.readers.table_rows import open_table_rows

TEXTS = st.one_of(
    st.none(), st.text(st.one_of(st.sampled_from('\0\\\t\n\r".N{['), st.characters(codec="utf-8")), max_size=12)
)


def test_postgresql_holds_the_values_of_the_table(empty_database_url):
    columns = ["a", "b", "c"]
    with psycopg.connect(empty_database_url.replace("+psycopg", "")) as connection:
        connection.execute("create temporary table text_row (row_no bigint, a text, b text, c text)")

        @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=20))
        def agrees(rows: list[tuple[Any, ...]]) -> None:
            content = first_line("license", columns) + row_lines(rows, columns) + last_line(len(rows))
            reader = open_table_rows(io.BytesIO(content), required_columns=columns)
            bad = set()
            connection.execute("truncate text_row")
            with connection.cursor() as cursor:
                with cursor.copy("copy text_row from stdin") as copy:
                    for block in reader:
                        copy.write(block.copy_text)
                        bad |= {row.row_no for row in block.bad}
                held = cursor.execute("select * from text_row order by row_no").fetchall()
            assert bad == {number for number, row in enumerate(rows, 2) if any("\0" in (text or "") for text in row)}
            assert held == [(number, *row) for number, row in enumerate(rows, 2) if number not in bad]

        agrees()
