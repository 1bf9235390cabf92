import io
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zhengku.errors import DeliveryRejected, SourceRefused
from zhengku.landed.row_file import first_line, last_line, row_lines
from zhengku.readers.blocks import BadRow
from zhengku.readers.table_rows import LONGEST_ROW, TableRowReader, open_table_rows

COLUMNS = ["a", "b"]


def landed(*rows: tuple[Any, ...]) -> bytes:
    return first_line("license", COLUMNS) + row_lines(rows, COLUMNS) + last_line(len(rows))


def read(content: bytes) -> tuple[TableRowReader, list[bytes], list[BadRow]]:
    reader = open_table_rows(io.BytesIO(content), required_columns=["a"])
    lines: list[bytes] = []
    bad: list[BadRow] = []
    for block in reader:
        lines += block.copy_text.split(b"\n")[:-1]
        bad += block.bad
    return reader, lines, bad


def test_rows_become_copy_text_with_their_line_in_the_file():
    reader, lines, bad = read(landed(("甲", None), ("a\tb\\c\nd\re", '"'), ("", "NULL")))
    assert lines == ["2\t甲\t\\N".encode(), b'3\ta\\tb\\\\c\\nd\\re\t"', b"4\t\tNULL"]
    assert (reader.columns, reader.fetched, reader.good, bad) == (("a", "b"), 3, 3, [])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7, b"7"),
        (True, b"true"),
        (Decimal("1E+3"), b"1000"),
        (0.1, b"0.1"),
        (float("nan"), b"nan"),
        (datetime(2026, 11, 23, 1, 2, 3), b"2026-11-23 01:02:03"),
        (datetime(2026, 11, 22, 17, 2, 3, 5, tzinfo=UTC), b"2026-11-23 01:02:03.000005"),
        (date(2026, 11, 23), b"2026-11-23"),
        (time(1, 2), b"01:02:00"),
        (timedelta(hours=1), b"1:00:00"),
        (UUID(int=1), b"00000000-0000-0000-0000-000000000001"),
        ("证照".encode("gb18030"), "证照".encode()),
        ({"k": [1]}, b'{"k":[1]}'),
    ],
)
def test_values_of_drivers_become_text(value, text):
    _, [line], bad = read(landed((value, "x")))
    assert line == b"2\t" + text + b"\tx"
    assert bad == []


def test_column_of_mixed_values_keeps_each():
    _, lines, _ = read(landed(("0000-00-00", 1), (datetime(2024, 1, 1), None), (None, "x")))
    assert lines == [b"2\t0000-00-00\t1", b"3\t2024-01-01 00:00:00\t\\N", b"4\t\\N\tx"]


def test_column_of_one_keeps_values_that_look_like_marks():
    content = (
        first_line("license", ["a"]) + row_lines([("{}",), ("\\{",), ("\\[",), ("",), (None,)], ["a"]) + last_line(5)
    )
    _, lines, bad = read(content)
    assert (lines, bad) == ([b"2\t{}", b"3\t\\\\{", b"4\t\\\\[", b"5\t", b"6\t\\N"], [])


def test_many_rows_are_read_alike_whatever_stands_between_them():
    rows = [(f"第{number}号", "a\tb\\" if number % 3 else None) for number in range(5000)]
    odd = {7: ("\0", "x"), 2500: ("y", b"\x89PNG\xff"), 2501: ("z", "\x1e\x1f"), 4999: ("长" * LONGEST_ROW, None)}
    _, plain, _ = read(landed(*rows))
    _, lines, bad = read(landed(*(odd.get(number, row) for number, row in enumerate(rows))))
    assert [row.row_no - 2 for row in bad] == [7, 2500, 4999]
    assert lines[2499] == b"2503\tz\t\x1e\x1f"
    kept = [line for number, line in enumerate(plain) if number not in odd]
    assert [line for line in lines if not line.startswith(b"2503\t")] == kept


def test_value_without_text_is_refused_with_column_and_type_only():
    with pytest.raises(SourceRefused, match="Column b holds values of the type complex"):
        row_lines([("x", 4711j)], COLUMNS)


@pytest.mark.parametrize(
    ("value", "rule"),
    [("a\0b", "row.nul"), (b"\x89PNG\xff", "row.encoding"), ("长" * LONGEST_ROW, "row.too_long")],
)
def test_bad_row_is_set_apart_with_its_place_and_its_neighbours_are_read(value, rule):
    content = landed(("x", "1"), (value, "2"), ("y", "3"))
    reader, lines, [bad] = read(content)
    assert lines == [b"2\tx\t1", b"4\ty\t3"]
    assert (bad.rule_id, bad.row_no, reader.fetched, reader.good) == (rule, 3, 3, 2)
    whole = content[bad.byte_offset : bad.byte_offset + bad.byte_length]
    assert whole == row_lines([(value, "2")], COLUMNS)[:-1].removeprefix(b"\\")
    assert whole.startswith(bad.payload)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{}\n",
        b"a,b\n1,2\n",
        b'{"table":"\xff","columns":["a"]}\n',
        landed(("1", "2"))[:-1],
        first_line("license", COLUMNS),
        first_line("license", COLUMNS) + row_lines([("1", "2")], COLUMNS),
        first_line("license", COLUMNS) + row_lines([("1", "2")], COLUMNS) + last_line(2),
        landed(("1", "2")) + b"3\t4\n",
        landed(("1", "2")) + b"x",
        first_line("license", COLUMNS) + b"1\n" + last_line(1),
        first_line("license", COLUMNS) + b"1\t2\t3\n" + last_line(1),
        first_line("license", COLUMNS) + b"1\n" + b"1\t2\t3\n" + last_line(2),
        first_line("license", COLUMNS) + b"\xff\t2\n" + last_line(1),
        first_line("license", COLUMNS) + b"\0\t2\n" + last_line(1),
        first_line("license", COLUMNS) + b'\\["1"]\n' + last_line(1),
        first_line("license", COLUMNS) + b"\\[1,2]\n" + last_line(1),
        first_line("license", COLUMNS) + b'\\["1","2"]\n' + last_line(1),
        first_line("license", COLUMNS) + b"\\[1\t2\n" + last_line(1),
        first_line("license", COLUMNS) + b"\n" + last_line(0),
        first_line("license", COLUMNS) + b"1\t2\n" + last_line(1)[1:],
    ],
)
def test_file_that_is_not_as_it_was_written_is_rejected(content):
    with pytest.raises(DeliveryRejected) as caught:
        read(content)
    assert caught.value.rule == "file.incomplete"


def test_column_that_the_feed_needs_and_the_file_lacks_rejects_it():
    with pytest.raises(DeliveryRejected, match="lacks c") as caught:
        open_table_rows(io.BytesIO(landed()), required_columns=["a", "c"])
    assert caught.value.rule == "file.missing_column"


VALUES = st.one_of(
    st.none(),
    st.text(st.one_of(st.sampled_from('\0\\\t\n\r"{[N'), st.characters(codec="utf-8")), max_size=10),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.datetimes(),
    st.binary(max_size=6),
    st.booleans(),
)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=30))
def test_any_rows_are_good_or_bad_and_counted(rows):
    reader, lines, bad = read(landed(*rows))
    assert (reader.fetched, reader.good) == (len(rows), len(lines))
    assert len(lines) + len(bad) == len(rows)
    places = [int(line.split(b"\t", 1)[0]) for line in lines] + [row.row_no for row in bad]
    assert sorted(places) == list(range(2, len(rows) + 2))
    for row in bad:
        texts = [value for value in rows[row.row_no - 2] if isinstance(value, str | bytes)]
        assert row.rule_id in ("row.nul", "row.encoding")
        if row.rule_id == "row.nul":
            assert any("\0" in value if isinstance(value, str) else b"\0" in value for value in texts)
        else:
            assert any(isinstance(value, bytes) for value in texts)


@given(st.lists(st.tuples(VALUES, VALUES), max_size=10), st.data())
def test_file_cut_anywhere_is_rejected(rows, data):
    content = landed(*rows)
    length = data.draw(st.integers(0, len(content) - 1))
    with pytest.raises(DeliveryRejected):
        read(content[:length])
