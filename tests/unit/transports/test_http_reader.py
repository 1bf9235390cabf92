import io
import json
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from zhengku.errors import DeliveryRejected
from zhengku.landed.http_answer import Answer, NoAnswer, RowsPlace
from zhengku.landed.page_file import page_bytes, totals_bytes
from zhengku.readers.blocks import Block
from zhengku.transports.http.reader import PageReader, open_pages


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
        (b'{"a":"\\udc00"}', "row.encoding"),
        (b'{"a":["\\udc00"]}', "row.encoding"),
        (b'{"a":"\xff\xfe"}', "row.encoding"),
        (b'{"a":"1","a":"2"}', "row.shape"),
        (b'{"a":{"$date":"2030-01-01"}}', "row.shape"),
        (b'{"a":"1" "b"}', "row.shape"),
        (b'{"a":"a "quoted" word"}', "row.shape"),
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


def test_of_too_many_keys_those_that_nobody_maps_stay_in_the_landed_pages() -> None:
    names = [f"c{place}" for place in range(402)]
    row = json.dumps(dict.fromkeys(names, "x")).encode()
    reader = opened(page_file(body_of(row), rows=1, columns=names), "c401")
    [block] = reader
    assert (len(reader.columns), reader.columns[-1], reader.unread) == (400, "c401", ("c399", "c400"))
    assert block.copy_text == b"1" + b"\tx" * 400 + b"\n"


@pytest.mark.parametrize(
    "value",
    [
        b'"x\\u0000y"',
        b'"x\x00y"',
        b'["\\u0000"]',
        b'"\\udc00"',
        b'"\xff\xfe"',
        b'"' + b"x" * 2 * 1024 * 1024 + b'"',
        b'{"b":' * 40 + b"1" + b"}" * 40,
        b'{"b":1},"other.b":2',
        b'1,"other":2',
        b'1,"b\\u0000":1',
        b'1,"\xff":1',
        b"NaN",
        b"undefined",
        b"'single'",
        b"007",
        b"9" * 400,
        b"[NaN, .5,]",
    ],
)
def test_a_value_that_nobody_maps_costs_no_row(value: bytes) -> None:
    rows = [b'{"a":"1"}', b'{"a":"2","other":' + value + b"}", b'{"a":"3"}']
    content = page_file(body_of(*rows), rows=3, columns=["a", "other"])
    reader = opened(content, "a")
    [block] = reader
    assert [line.split(b"\t")[:2] for line in block.copy_text.splitlines()] == [
        [b"1", b"1"],
        [b"2", b"2"],
        [b"3", b"3"],
    ]
    assert not block.bad


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"NaN", b"NaN"),
        (b"-Infinity", b"-Infinity"),
        (b"undefined", b"undefined"),
        (b"None", b"None"),
        (b"True", b"true"),
        (b"007", b"007"),
        (b".5", b".5"),
        (b"+1.", b"+1."),
        (b"0x1F", b"0x1F"),
        (b"'it\\'s'", b"it's"),
        (b"12345678901234567890123", b"12345678901234567890123"),
        (b"1.10", b"1.10"),
        (b"1e400", b"1e400"),
        ('"好\x09\x0b"'.encode(), "好\\t\x0b".encode()),
        (b'"\\x"', b"x"),
        (b'"1",', b"1"),
    ],
)
@pytest.mark.parametrize("between", [b",", b" ,\n\xef\xbb\xbf"])
def test_json_that_is_nearly_right_is_read_right(written: bytes, read: bytes, between: bytes) -> None:
    rows = [b'{"a":"1"}', b'{"a":' + written + b"}", b'{"a":"3"}']
    body = b"\xef\xbb\xbf\xef\xbb\xbf " + b'{"rows":[' + between.join(rows) + b"]}"
    [block] = opened(page_file(body, rows=3, columns=["a"]), "a")
    assert block.copy_text == b"1\t1\n2\t" + read + b"\n3\t3\n"
    assert not block.bad


@pytest.mark.parametrize(
    "broken",
    [
        b'{"id":2,"a":"a "quoted" word"}',
        b'{"id":2,"a":"x}',
        b'{"id":2,"a":"x"',
        b'{"id":2,"a":}',
        b'{"id":2,"a" "x"}',
        b'{"id":2,"a":[1,2}',
        b'{"id":2,"b":[{"c":1},{"c":2}],"a":"x "y" z"}',
        b'{"id":2,"b":[{"c":1}],,"a":"x"z"}',
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_row_that_is_no_json_costs_no_other(broken: bytes, place: int) -> None:
    rows = [b'{"id":1,"a":"1"}', b'{"id":3,"a":"3"}']
    rows.insert(place, broken)
    body = b'{"code":0,"data":{"page":{"rows":[' + b",".join(rows) + b'],"total":3},"x":[{"y":{}}]},"msg":"ok"}'
    answer = Answer(body, "utf-8", RowsPlace("data.page.rows"))
    assert [bytes(row) for row in answer.rows()] == rows
    assert (answer.at("code"), answer.at("data.page.total"), answer.at("msg")) == (0, 3, "ok")
    content = page_file(body, rows=3, columns=["id", "a"])
    [block] = open_pages(io.BytesIO(content), required_columns=["id", "a"], rows="data.page.rows", omits_empty=False)
    assert [(bad.row_no, bad.rule_id, bad.payload) for bad in block.bad] == [(place + 1, "row.shape", broken)]
    assert block.rows == 2


def test_a_key_twice_is_seen_among_rows_that_leave_keys_out() -> None:
    """The number of keys is as if each row had each key once."""
    rows = [b'{"a":"1"}', b'{"a":"2","b":"x","b":"y"}', b'{"a":"3","b":"\\":"}']
    reader = opened(page_file(body_of(*rows), rows=3, columns=["a", "b"]), "a", "b")
    [block] = reader
    assert [bad.row_no for bad in block.bad] == [2]
    same = [b'{"a":"1"}', b'{"a":"2","b":"x","b":"x"}']
    [block] = opened(page_file(body_of(*same), rows=2, columns=["a", "b"]), "a", "b")
    assert block.copy_text == b"1\t1\t\\N\n2\t2\tx\n"


ROWS_AT = RowsPlace("data.rows", ("nothing", "one_row", "json_text"))


@pytest.mark.parametrize(
    ("body", "rows"),
    [
        (b'{"data":null}', []),
        (b'{"data":""}', []),
        (b'{"data":[]}', []),
        (b'{"data":{}}', []),
        (b"{}", []),
        (b'{"data":{"rows":null}}', []),
        (b'{"data":{"rows":""}}', []),
        (b'{"data":{"rows":{}}}', []),
        (b'{"data":{"rows":{"a":1}}}', [b'{"a":1}']),
        (b'{"data":{"rows":{"a":NaN}}}', [b'{"a":NaN}']),
        (b'{"data":{"rows":"[{\\"a\\":1}]"}}', [b'{"a":1}']),
        (b'{"data":"{\\"rows\\":[{\\"a\\":NaN},{\\"a\\":2}]}"}', [b'{"a":NaN}', b'{"a":2}']),
        (b'{"data":"{\\"rows\\":\\"[]\\"}"}', []),
        (b'"{\\"data\\":{\\"rows\\":[{\\"a\\":1}]}}"', [b'{"a":1}']),
    ],
)
def test_what_else_may_stand_in_the_place_of_the_rows(body: bytes, rows: list[bytes]) -> None:
    assert [bytes(row) for row in Answer(body, "utf-8", ROWS_AT).rows()] == rows


@pytest.mark.parametrize(
    "body",
    [
        b'{"data":null}',
        b'{"data":""}',
        b"{}",
        b'{"data":{"rows":{"a":1}}}',
        b'{"data":{"rows":{"a":NaN}}}',
        b'{"data":{"rows":"[]"}}',
        b'{"data":"{}"}',
        b'{"data":{"rows":7}}',
    ],
)
def test_it_may_stand_there_only_where_the_feed_says_so(body: bytes) -> None:
    with pytest.raises(NoAnswer, match=r"rows_also|no object at data"):
        Answer(body, "utf-8", RowsPlace("data.rows")).rows()


@pytest.mark.parametrize("body", [b'{"rows":[{"a":NaN},{"a":1}', b"<html>", b"[]", b""])
def test_a_body_that_is_cut_or_no_json_is_no_answer(body: bytes) -> None:
    with pytest.raises(NoAnswer):
        Answer(body, "utf-8", RowsPlace("rows"))


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
    odd = {3: {"c": "\0"}, 900: {"b": {"d": 1}}, 901: {"a": "\x1e", "b": "\x1f"}, 1799: 7}
    bodies = [
        json.dumps({"rows": [changed.get(number, row) for number, row in enumerate(plain)]}).encode()
        for changed in ({}, odd)
    ]
    readers = [opened(page_file(body, rows=1800, columns=["a", "b", "b.d", "c"]), "c") for body in bodies]
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


def test_body_that_is_utf8_is_read_so_whatever_charset_is_named() -> None:
    body = '{"data": {"rows": [{"a": "杨丽"}, {"a": "周杰"}]}}'
    for charset, content in (("gb18030", body.encode()), ("gb18030", body.encode("gb18030")), ("utf-8", body.encode())):
        rows = Answer(content, charset, RowsPlace("data.rows")).rows()
        assert [json.loads(bytes(row))["a"] for row in rows] == ["杨丽", "周杰"]
