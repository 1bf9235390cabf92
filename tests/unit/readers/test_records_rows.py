import hashlib
import io
import tracemalloc
from collections.abc import Iterator

import pytest

from zhengku.readers.records import BadRow, RecordReader, open_records


def read(body: bytes, columns: str = "a,b,c", **form: object) -> tuple[list[str], list[BadRow], RecordReader]:
    """Read `body` under a header; give the COPY lines, the bad rows and the spent reader."""
    delimiter = str(form.get("delimiter", ","))
    content = columns.replace(",", delimiter).encode() + b"\n" + body
    reader = open_records(
        io.BytesIO(content),
        **{"required_columns": columns.split(","), "allow_empty": True, **form},  # type: ignore[arg-type]
    )
    text, bad = b"", []
    for block in reader:
        assert block.rows == block.copy_text.count(b"\n")
        text += block.copy_text
        bad += block.bad
    for row in bad:
        assert content[row.byte_offset : row.byte_offset + row.byte_length].startswith(row.payload)
        whole = content[row.byte_offset : row.byte_offset + row.byte_length]
        assert row.sha256 == hashlib.sha256(whole).hexdigest()
        assert row.detail_zh
        assert row.detail_en
    assert reader.bytes_read == len(content)
    return text.decode().splitlines(), bad, reader


def verdicts(bad: list[BadRow]) -> list[tuple[int, str]]:
    return [(row.row_no, row.rule_id) for row in bad]


def test_empty_fields_are_empty_strings_and_line_ends_may_be_mixed() -> None:
    good, bad, reader = read(b'1,,3\r\n,,\n"","",""\n4,5,6')
    assert good == ["2\t1\t\t3", "3\t\t\t", "4\t\t\t", "5\t4\t5\t6"]
    assert not bad
    assert reader.fetched == 4


def test_what_means_something_to_copy_is_escaped() -> None:
    good, bad, _ = read(b'\\N,a\\tb,"x\ty"\n\\.,"a\\\nb",c\n"a\rb","c\r\nd",e\n')
    assert good == ["2\t\\\\N\ta\\\\tb\tx\\ty", "3\t\\\\.\ta\\\\\\nb\tc", "5\ta\\rb\tc\\r\\nd\te"]
    assert not bad


def test_characters_whose_second_byte_looks_like_a_delimiter_stay_whole() -> None:
    backslash, bar = b"\xd5\x5c".decode("gb18030"), b"\xd5\x7c".decode("gb18030")
    body = f"{bar}|{backslash}|𠮷\n".encode("gb18030")
    good, bad, _ = read(body, delimiter="|", encodings=["gb18030"])
    assert good == [f"2\t{bar}\t{backslash}\t𠮷"]
    assert not bad


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        (b"1,2", "row.ragged"),
        (b"1,2,3,4", "row.ragged"),
        (b"1", "row.ragged"),
        (b"1,\0,3", "row.nul"),
        (b"1,\xb6\xf5,3", "row.encoding"),
        (b"1,\xed\xa0\x80,3", "row.encoding"),
        (b'1,"2,3', "row.quote"),
        (b'1,"2"x,3', "row.quote"),
        (b'"', "row.quote"),
        (b"1,2\r2,3", "row.control_character"),
        (b"1,2," + b"x" * 200, "row.too_long"),
    ],
)
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_bad_line_is_set_aside_alone_and_its_neighbours_are_read(line: bytes, rule: str, end: bytes) -> None:
    good, bad, reader = read(end.join([b"1,2,3", line, b"4,5,6", b""]), max_record_bytes=100, encodings=["utf-8"])
    assert good == ["2\t1\t2\t3", "4\t4\t5\t6"]
    assert verdicts(bad) == [(3, rule)]
    assert bad[0].payload == line + end[:-1]
    assert (reader.good, reader.bad, reader.fetched) == (2, 1, 3)


def test_detail_counts_fields_and_shows_no_value() -> None:
    _, bad, _ = read("张某某,2\n".encode())
    assert bad[0].detail_zh == "应有3列，实有2列"
    assert bad[0].detail_en == "expected 3 fields, got 2"


def test_blank_lines_are_counted_and_are_no_records() -> None:
    good, bad, reader = read("1,2,3\n\n \t \r\n　　\n4,5,6\n\n".encode())
    assert good == ["2\t1\t2\t3", "6\t4\t5\t6"]
    assert not bad
    assert reader.blank_lines == 4
    assert reader.fetched == 2


def test_quoted_field_may_span_lines_and_hold_blank_ones() -> None:
    good, bad, reader = read(b'1,"a\n\n""b"", c",3\n4,5,6\n')
    assert good == ['2\t1\ta\\n\\n"b", c\t3', "5\t4\t5\t6"]
    assert not bad
    assert reader.blank_lines == 0


def test_stray_open_quote_costs_its_own_line_only() -> None:
    good, bad, _ = read(b'1,"2,3\n4,5,6\n7,"8",9\n10,11,12\n')
    assert good == ["3\t4\t5\t6", "4\t7\t8\t9", "5\t10\t11\t12"]
    assert verdicts(bad) == [(2, "row.quote")]


def test_stray_open_quote_before_a_row_that_cannot_be_read_costs_two_rows() -> None:
    good, bad, _ = read(b'1,2,"3\n4,\0,6\n7,8,9"\n')
    assert verdicts(bad) == [(2, "row.quote"), (3, "row.nul")]
    assert good == ['4\t7\t8\t9"']


def test_stray_quote_far_from_any_other_is_found_within_the_limits() -> None:
    rows = b"".join(b"%d,x,y\n" % i for i in range(5000))
    for form in ({"max_record_lines": 64}, {"max_record_lines": 10**9, "max_record_bytes": 5000}):
        good, bad, _ = read(b'0,"x,y\n' + rows, block_size=512, **form)
        assert len(good) == 5000
        assert verdicts(bad) == [(2, "row.quote")]


def test_record_of_more_lines_or_bytes_than_allowed_is_bad_line_by_line() -> None:
    body = b'1,2,"a\nb\nc"\n4,5,6\n'
    for form, bad_lines in (
        ({"max_record_lines": 3}, []),
        ({"max_record_lines": 2}, [(2, "row.quote"), (3, "row.ragged"), (4, "row.ragged")]),
        ({"max_record_bytes": len(b'1,2,"a\nb\nc"')}, []),
        ({"max_record_bytes": len(b'1,2,"a\nb\nc"') - 1}, [(2, "row.quote"), (3, "row.ragged"), (4, "row.ragged")]),
    ):
        good, bad, reader = read(body, **form)
        assert verdicts(bad) == bad_lines
        assert good[-1] == "5\t4\t5\t6"
        assert reader.fetched == (4 if bad_lines else 2)


def test_literal_quote_inside_an_unquoted_field_is_kept() -> None:
    good, bad, _ = read('5"管,a"b","x,y"\n'.encode())
    assert good == ['2\t5"管\ta"b"\tx,y']
    assert not bad


def test_tab_as_delimiter_tells_tabs_in_quotes_from_tabs_between_fields() -> None:
    good, bad, _ = read(b'1\t"2\t2"\t3\n4\t5\n', delimiter="\t")
    assert good == ["2\t1\t2\\t2\t3"]
    assert verdicts(bad) == [(3, "row.ragged")]


def test_single_column_file_skips_blank_lines() -> None:
    good, bad, reader = read('1\n\n　\n""\n2\n'.encode(), "a")
    assert good == ["2\t1", "5\t", "6\t2"]
    assert not bad
    assert reader.blank_lines == 2


def test_payload_is_cut_and_digest_is_of_the_whole_line() -> None:
    line = b"x" * 200_000
    good, bad, _ = read(line + b"\n1,2,3\n")
    assert good == ["3\t1\t2\t3"]
    assert (bad[0].rule_id, bad[0].byte_length, len(bad[0].payload)) == ("row.ragged", 200_000, 65_536)


class LongLine(io.RawIOBase):
    """A file with one line of `size` bytes between good rows, made as it is read."""

    def __init__(self, size: int) -> None:
        self._pieces = self._content(size)

    @staticmethod
    def _content(size: int) -> Iterator[bytes]:
        yield b"a,b,c\n1,2,3\n"
        piece = b"x" * 16_384
        for _ in range(size // len(piece)):
            yield piece
        yield b"\n4,5,6\n"

    def read(self, size: int = -1) -> bytes:
        return next(self._pieces, b"")


def peak_of_reading(size: int) -> tuple[int, list[BadRow]]:
    tracemalloc.start()
    try:
        reader = open_records(LongLine(size), required_columns=["a"])  # type: ignore[arg-type]
        text, bad = b"", []
        for block in reader:
            text += block.copy_text
            bad += block.bad
        assert text == b"2\t1\t2\t3\n4\t4\t5\t6\n"
        return tracemalloc.get_traced_memory()[1], bad
    finally:
        tracemalloc.stop()


def test_line_of_a_gigabyte_passes_through_in_a_few_megabytes() -> None:
    size = 1 << 30
    peak, bad = peak_of_reading(size)
    assert peak < 12 * 1024 * 1024
    assert verdicts(bad) == [(3, "row.too_long")]
    digest = hashlib.sha256()
    for _ in range(1024):
        digest.update(b"x" * (1 << 20))
    assert bad[0].byte_length == size
    assert bad[0].sha256 == digest.hexdigest()
    assert bad[0].payload == b"x" * 65_536


def test_endless_last_line_ends_with_the_file() -> None:
    good, bad, _ = read(b"1,2,3\n" + b"x" * 3_000_000, max_record_bytes=1000, block_size=4096)
    assert good == ["2\t1\t2\t3"]
    assert verdicts(bad) == [(3, "row.too_long")]
    assert bad[0].byte_length == 3_000_000
