import csv
import io

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhengku.readers.records import open_records

ROWS = [
    ["虚构甲公司", "\\N", "a\tb"],
    ["", '他说"好"', "第一行\n第二行\r\n第三行"],
    ["\\.", "\\", "\x01\x1f\x7f"],
    ["𠮷鄂", "　全角　", "a\rb"],
]


def copied(connection: psycopg.Connection[tuple[str, ...]], content: bytes) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute("drop table if exists text_row")
        cursor.execute("create unlogged table text_row (row_no bigint, a text, b text, c text)")
        with cursor.copy("copy text_row from stdin") as copy:
            for block in open_records(io.BytesIO(content), required_columns=["甲"], max_record_lines=1000):
                assert not block.bad
                copy.write(block.copy_text)
        cursor.execute("select a, b, c from text_row order by row_no")
        return list(cursor)


def as_csv(rows: list[list[str]], encoding: str) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows([["甲", "b", "c"], *rows])
    return text.getvalue().encode(encoding)


def test_postgresql_reads_back_what_the_department_wrote(empty_database_url: str) -> None:
    with psycopg.connect(empty_database_url.replace("postgresql+psycopg", "postgresql")) as connection:
        for encoding in ("utf-8", "utf-8-sig", "gb18030"):
            assert copied(connection, as_csv(ROWS, encoding)) == [tuple(row) for row in ROWS]


def test_postgresql_reads_back_any_text(empty_database_url: str) -> None:
    texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
    with psycopg.connect(empty_database_url.replace("postgresql+psycopg", "postgresql")) as connection:

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(st.lists(st.lists(texts, min_size=3, max_size=3), min_size=1, max_size=20))
        def agrees(rows: list[list[str]]) -> None:
            assert copied(connection, as_csv(rows, "utf-8")) == [tuple(row) for row in rows]

        agrees()
