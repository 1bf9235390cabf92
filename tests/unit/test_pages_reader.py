import io
import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhengku.collect.page_file import page_bytes, totals_bytes
from zhengku.errors import DeliveryRejected
from zhengku.stage.blocks import Block
from zhengku.stage.pages import PageReader, open_pages


def page_file(*bodies: bytes, rows: int, columns: list[str]) -> bytes:
    pages = [page_bytes(number, body, "utf-8") for number, body in enumerate(bodies, 1)]
    return b"".join(pages) + totals_bytes(len(bodies), rows, columns)


def body_of(*rows: bytes) -> bytes:
    return b'{"rows":[' + b",".join(rows) + b"]}"


def opened(content: bytes, *required: str, omits_empty: bool = False) -> PageReader:
    return open_pages(io.BytesIO(content), required_columns=required, rows="rows", omits_empty=omits_empty)


def read_one(row: bytes, *columns: str) -> Block:
    reader = opened(page_file(body_of(row), rows=1, columns=list(columns)))
    [block] = reader
    return block


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (b"1.10", b"1.10"),
        (b"1e400", b"1e400"),
        (b"123456789012345678901234567890", b"123456789012345678901234567890"),
        (b"-7", b"-7"),
        (b"true", b"true"),
        (b"false", b"false"),
        (b"null", b"\\N"),
        (b'""', b""),
        (b'"\\\\N"', b"\\\\N"),
        (b'"a\\tb\\nc\\rd"', b"a\\tb\\nc\\rd"),
        (b'"a\tb"', b"a\\tb"),
        (
            b'[1.10, "a\\"b", null, true, {"k": [12345678901234567890123]}]',
            b'[1.10,"a\\\\"b",null,true,{"k":[12345678901234567890123]}]',
        ),
        (b"[]", b"[]"),
        ('"\\ud83d\\ude00鄂"'.encode(), "😀鄂".encode()),
    ],
)
def test_a_value_becomes_its_text(value: bytes, text: bytes) -> None:
    block = read_one(b'{"a":%b,"z":"end"}' % value, "a", "z")
    assert block.copy_text == b"1\t%b\tend\n" % text


def test_nested_objects_become_columns_and_missing_keys_null() -> None:
    row = '{"extend":{"准驾车型":"C1","更多":{"x":1.50}}}'.encode()
    block = read_one(row, "other", "extend.准驾车型", "extend.更多.x")
    assert block.copy_text == b"1\t\\N\tC1\t1.50\n"


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (b"7", "row.shape"),
        (b"null", "row.shape"),
        (b'["a"]', "row.shape"),
        (b'{"a":"x\\u0000y"}', "row.nul"),
        (b'{"a":["\\u0000"]}', "row.nul"),
        (b'{"a":"x\x00y"}', "row.nul"),
        (b'{"b\\u0000":1}', "row.nul"),
        (b'{"a":"\\udc00"}', "row.encoding"),
        (b'{"a":["\\udc00"]}', "row.encoding"),
        (b'{"a":"\xff\xfe"}', "row.encoding"),
        (b'{"\xff":1}', "row.encoding"),
        (b'{"a":{"b":1},"a.b":2}', "row.shape"),
        (b'{"a":' * 40 + b"1" + b"}" * 40, "row.shape"),
        (b'{"a":"' + b"x" * 1024 * 1024 + b'"}', "row.too_long"),
    ],
)
def test_a_bad_row_is_kept_as_it_came_and_its_neighbours_are_read(row: bytes, rule: str) -> None:
    good = b'{"a":"1"}'
    body = body_of(good, row, good)
    content = page_file(body, rows=3, columns=["a"])
    reader = opened(content, "a")
    [block] = reader
    assert block.copy_text == b"1\t1\n3\t1\n"
    [bad] = block.bad
    assert (bad.row_no, bad.rule_id, bad.payload) == (2, rule, row[: 64 * 1024])
    assert content[bad.byte_offset :].startswith(body)
    assert bad.byte_length == len(row)
    assert (reader.fetched, reader.good, reader.blank_lines) == (3, 2, 0)


def test_rows_are_counted_over_all_pages() -> None:
    content = page_file(body_of(b'{"a":1}', b"0"), body_of(b'{"a":2}'), rows=3, columns=["a"])
    assert [block.copy_text for block in opened(content, "a")] == [b"1\t1\n", b"3\t2\n"]


def test_a_key_that_never_came_rejects_the_delivery_unless_rows_omit_keys() -> None:
    content = page_file(body_of(b'{"a":1}'), rows=1, columns=["a"])
    with pytest.raises(DeliveryRejected, match="None of the 1 rows has b") as caught:
        opened(content, "a", "b")
    assert (caught.value.rule, "缺少字段：b" in caught.value.reason) == ("file.missing_column", True)
    reader = opened(content, "a", "b", omits_empty=True)
    assert reader.columns == ("a", "b")
    assert [block.copy_text for block in reader] == [b"1\t1\t\\N\n"]


def test_no_rows_are_a_delivery_in_order() -> None:
    reader = opened(page_file(rows=0, columns=[]), "a", "b")
    assert (list(reader), reader.columns, reader.fetched) == ([], ("a", "b"), 0)


def test_too_many_keys_reject_the_delivery() -> None:
    with pytest.raises(DeliveryRejected, match="401") as caught:
        opened(page_file(body_of(b"{}"), rows=1, columns=[f"c{place}" for place in range(401)]))
    assert caught.value.rule == "file.too_many_columns"


def test_a_page_file_cut_anywhere_is_incomplete() -> None:
    whole = page_file(body_of(b'{"a":1}'), body_of(b'{"a":2}'), rows=2, columns=["a"])
    for length in range(len(whole)):
        with pytest.raises(DeliveryRejected) as caught:
            list(opened(whole[:length], "a"))
        assert caught.value.rule == "file.incomplete"


def test_a_count_that_does_not_agree_is_incomplete() -> None:
    with pytest.raises(DeliveryRejected) as caught:
        list(opened(page_file(body_of(b'{"a":1}'), rows=2, columns=["a"]), "a"))
    assert caught.value.rule == "file.incomplete"


def test_rows_are_read_alike_whatever_stands_between_them() -> None:
    """Rows of one shape are decoded many at once; an odd one has its neighbours read one by one, and they stay."""
    plain: list[dict[str, Any]] = [
        {"a": number, "b": "x\t\\N\n" if number % 2 else None, "c": number % 5 == 0} for number in range(1800)
    ]
    odd = {3: {"a": "\0"}, 900: {"b": {"d": 1}}, 901: {"a": "\x1e", "b": "\x1f"}, 1799: 7}
    bodies = [
        json.dumps({"rows": [changed.get(number, row) for number, row in enumerate(plain)]}).encode()
        for changed in ({}, odd)
    ]
    readers = [opened(page_file(body, rows=1800, columns=["a", "b", "b.d", "c"])) for body in bodies]
    [alike, mixed] = [b"".join(block.copy_text for block in reader).splitlines() for reader in readers]
    assert alike[:2] == [b"1\t0\t\\N\t\\N\ttrue", b"2\t1\tx\\t\\\\N\\n\t\\N\tfalse"]
    assert b"902\t\x1e\t\x1f\t\\N\t\\N" in mixed
    assert b"901\t\\N\t\\N\t1\t\\N" in mixed
    assert set(mixed) - set(alike) == {b"902\t\x1e\t\x1f\t\\N\t\\N", b"901\t\\N\t\\N\t1\t\\N"}
    assert (len(alike), len(mixed), readers[1].bad) == (1800, 1798, 2)


texts = st.text(st.characters(codec="utf-8"), max_size=8)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=100, deadline=None)
@given(st.lists(json_values | st.dictionaries(texts, json_values, max_size=4), max_size=6), st.data())
def test_any_fuzzed_page_ends_as_rows_and_bad_rows_or_is_rejected(rows: list[Any], data: st.DataObject) -> None:
    body = bytearray(json.dumps({"rows": rows}, ensure_ascii=data.draw(st.booleans())).encode())
    for _ in range(data.draw(st.integers(0, 3))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    reader = opened(page_file(bytes(body), rows=len(rows), columns=["a"]), omits_empty=True)
    try:
        blocks = list(reader)
    except DeliveryRejected:
        # What is no JSON as a whole cannot be cut into rows; the collector would have asked for it again.
        return
    bad = [row for block in blocks for row in block.bad]
    assert sum(block.rows for block in blocks) + len(bad) == reader.fetched == len(rows)
    assert sum(block.copy_text.count(b"\n") for block in blocks) == reader.good
    assert all(row.payload in bytes(body) for row in bad)


def test_postgresql_reads_back_any_text(empty_database_url: str) -> None:
    any_texts = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20)
    with psycopg.connect(empty_database_url.replace("postgresql+psycopg", "postgresql")) as connection:
        connection.execute("create unlogged table text_row (row_no bigint, a text, b text)")

        @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
        @given(
            st.lists(st.tuples(st.none() | any_texts, st.none() | any_texts), min_size=1, max_size=20), st.booleans()
        )
        def agrees(rows: list[tuple[str | None, str | None]], ascii_only: bool) -> None:
            body = json.dumps({"rows": [{"a": a, "b": b} for a, b in rows]}, ensure_ascii=ascii_only).encode()
            with connection.cursor() as cursor:
                cursor.execute("truncate text_row")
                with cursor.copy("copy text_row from stdin") as copy:
                    for block in opened(page_file(body, rows=len(rows), columns=["a", "b"]), "a", "b"):
                        assert not block.bad
                        copy.write(block.copy_text)
                cursor.execute("select a, b from text_row order by row_no")
                assert list(cursor) == rows

        agrees()
