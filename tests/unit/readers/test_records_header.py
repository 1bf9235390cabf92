import io

import pytest

from zhengku.errors import DeliveryRejected
from zhengku.readers.records import RecordReader, open_records

REQUIRED = ["企业名称", "统一社会信用代码", "注册日期"]
HEADER = ",".join(REQUIRED)
ROW = "虚构甲公司,X1,2019-01-01"


def opened(content: bytes, **form: object) -> RecordReader:
    return open_records(io.BytesIO(content), **{"required_columns": REQUIRED, **form})  # type: ignore[arg-type]


def rejected(content: bytes, **form: object) -> DeliveryRejected:
    with pytest.raises(DeliveryRejected) as caught:
        opened(content, **form)
    assert "\n" not in str(caught.value)
    assert caught.value.reason
    return caught.value


@pytest.mark.parametrize(
    ("encoding", "found"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("gb18030", "gb18030"), ("gbk", "gb18030")],
)
def test_encoding_is_the_one_that_reads_the_required_columns(encoding: str, found: str) -> None:
    reader = opened(f"{HEADER}\n{ROW}\n".encode(encoding))
    assert reader.encoding == found
    assert b"".join(block.copy_text for block in reader).decode() == "2\t虚构甲公司\tX1\t2019-01-01\n"


def test_byte_order_mark_decides_before_the_configured_encodings() -> None:
    assert opened(f"{HEADER}\n{ROW}\n".encode("utf-8-sig"), encodings=["gb18030"]).encoding == "utf-8"


@pytest.mark.parametrize("order", [["utf-8", "gb18030"], ["gb18030", "utf-8"]])
@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
def test_ascii_header_leaves_the_decision_to_the_rows(encoding: str, order: list[str]) -> None:
    rows = "".join(f"{i},鄂州市虚构第{i}号商贸有限公司\n" for i in range(50))
    content = b"id,name\n" + rows.encode(encoding)
    assert opened(content, required_columns=["id", "name"], encodings=order).encoding == encoding


def test_one_undecodable_row_does_not_turn_the_file_into_another_encoding() -> None:
    rows = "".join(f"{i},鄂州市虚构第{i}号商贸有限公司\n" for i in range(50)).encode()
    content = b"id,name\n" + rows + b"50,\xb6\xf5\xd6\xdd\n"
    reader = opened(content, required_columns=["id", "name"])
    bad = [row for block in reader for row in block.bad]
    assert reader.encoding == "utf-8"
    assert [(row.row_no, row.rule_id) for row in bad] == [(52, "row.encoding")]


def test_columns_may_come_in_any_order_with_others_between_them() -> None:
    reader = opened("注册日期,备注,企业名称,统一社会信用代码\n2019-01-01,无,甲,X\n".encode())
    assert reader.columns == ("注册日期", "备注", "企业名称", "统一社会信用代码")


def test_required_name_is_known_under_blanks_quotes_and_line_breaks() -> None:
    reader = opened('　企业名称　," 统一社会 信用代码","注册\n日期"\n甲,X,2019-01-01\n'.encode("utf-8-sig"))
    assert reader.columns == tuple(REQUIRED)
    assert next(iter(reader)).copy_text.startswith(b"3\t")


def test_blank_lines_before_the_header_are_passed_over() -> None:
    reader = opened(f"\n  \r\n{HEADER}\n{ROW}\n".encode())
    assert next(iter(reader)).copy_text.startswith(b"4\t")
    assert reader.blank_lines == 2


@pytest.mark.parametrize(
    ("content", "rule", "words"),
    [
        (b"", "file.empty", "empty (0 bytes)"),
        (b"\xef\xbb\xbf", "file.empty", "empty"),
        (b" \r\n\n\n", "file.empty", "empty"),
        (f"{HEADER}\n".encode(), "file.no_rows", "no row"),
        (f"{HEADER}\n \n\n".encode(), "file.no_rows", "no row"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16"), "file.encoding", "UTF-16"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16-le"), "file.encoding", "UTF-16"),
        (f"{HEADER}\n{ROW}\n".encode("utf-16-be"), "file.encoding", "UTF-16"),
        (b"\xff\x80,\xff\x80\n1,2\n", "file.encoding", "UTF-8/GB18030"),
        (b"PK\x03\x04\x14\x00\x06\x00", "file.not_text", "spreadsheet"),
        (f"企业名称,注册日期\n{ROW}\n".encode(), "file.missing_column", "统一社会信用代码"),
        (f"{HEADER},企业 名称\n{ROW},1\n".encode(), "file.duplicate_column", "repeats the name of column 1"),
        (b" ,,,\n1,2,3,4\n", "file.header", "4 columns and no name"),
        (f'"{HEADER}\n{ROW}\n'.encode(), "file.header", "quotes"),
        (f"{HEADER}\r{ROW}\r".encode(), "file.line_end", "old Mac"),
        (f"{HEADER};x\n{ROW}\n".replace(",", ";").encode(), "file.missing_column", "separated by ';'"),
        ((HEADER + ",c" * 9_997 + "\n").encode(), "file.too_many_columns", "10000 columns; expected at most 500"),
        (("长" * 400_000).encode(), "file.header", "longer than 1048576 bytes"),
    ],
)
def test_file_that_is_wrong_as_a_whole_is_rejected(content: bytes, rule: str, words: str) -> None:
    error = rejected(content)
    assert error.rule == rule
    assert words in str(error)


def test_message_shows_no_value_when_a_row_stands_in_the_headers_place() -> None:
    error = rejected("虚构甲公司,张某某,11010519491231002X\n虚构乙公司,李某某,1\n".encode())
    assert error.rule == "file.missing_column"
    assert "张某某" not in str(error) + error.reason
    assert "11010519491231002X" not in str(error) + error.reason


def test_message_shows_twenty_names_at_most_each_cut() -> None:
    names = ["企业名称"] + [f"列{i}" + "长" * 100 for i in range(300)]
    error = rejected((",".join(names) + "\n").encode())
    assert len(str(error)) < 1500
    assert "列18" in str(error)
    assert "列19" not in str(error)


def test_header_alone_is_a_delivery_where_the_feed_allows_it() -> None:
    reader = opened(f"{HEADER}\n".encode(), allow_empty=True)
    assert list(reader) == []
    assert reader.fetched == 0
