import csv
import io

from hypothesis import example, given, settings
from hypothesis import strategies as st

from zhengku.readers.quoting import Fault, join_quoted, split_fields
from zhengku.readers.records import BadRow, open_records

HEADER = b"a,b,c\n"
BLOCK_SIZES = st.sampled_from([1, 2, 7, 64, 4096])
SCRAPS = st.sampled_from(
    [
        b"1,2,3",
        b'"',
        b",",
        b"\n",
        b"\r\n",
        b"\r",
        b"\\",
        b"\t",
        b"\0",
        b'"a\nb"',
        b"\xb6\xf5",
        "鄂".encode(),
        b" ",
        b"x" * 40,
    ]
)
# csv.writer writes every surrogate-free text; NUL and an unquoted lone CR are not CSV.
TEXTS = st.text(
    st.one_of(
        st.sampled_from('",\n\r\t\\|;N.　（）ＡＢ１２鄂州誠 '),
        st.characters(codec="utf-8", exclude_characters="\0"),
    ),
    max_size=12,
)
ESCAPES = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}


def unescaped(line: str) -> list[str]:
    """Fields of one line of COPY text, as PostgreSQL reads them."""
    fields, text, characters = [], "", iter(line)
    for character in characters:
        if character == "\t":
            fields.append(text)
            text = ""
        else:
            text += ESCAPES[next(characters)] if character == "\\" else character
    return [*fields, text]


def read(content: bytes, **form: object) -> tuple[list[list[str]], list[BadRow], int, int]:
    reader = open_records(
        io.BytesIO(content),
        **{"required_columns": ["a"], "allow_empty": True, **form},  # type: ignore[arg-type]
    )
    good, bad = [], []
    for block in reader:
        lines = block.copy_text.decode().split("\n")
        assert lines.pop() == ""
        assert len(lines) == block.rows
        good += [unescaped(line) for line in lines]
        bad += block.bad
    assert reader.fetched == len(good) + len(bad)
    assert (reader.good, reader.bad) == (len(good), len(bad))
    return good, bad, reader.fetched, reader.blank_lines


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(st.binary(max_size=200), st.lists(SCRAPS, max_size=40).map(b"".join)),
    BLOCK_SIZES,
    st.sampled_from([5, 40, 1000]),
    st.integers(1, 5),
)
@example(b'1,"2\n', 1, 5, 2)
@example(b'1,"2\r\n3",4\r\n5', 1, 1000, 3)
def test_every_byte_of_any_body_belongs_to_one_record_or_to_a_blank_line(
    body: bytes, block_size: int, max_record_bytes: int, max_record_lines: int
) -> None:
    # Behind its last row a text may be marked as ended.
    body = body.replace(b"\x1a", b"?")
    good, bad, _, blank_lines = read(
        HEADER + body,
        encodings=["utf-8"],
        block_size=block_size,
        max_record_bytes=max(max_record_bytes, len(HEADER)),
        max_record_lines=max_record_lines,
    )
    lines = body.split(b"\n")
    if not lines[-1]:
        lines.pop()
    owner: dict[int, str] = {}
    for row in bad:
        raw = lines[row.row_no - 2]
        assert row.payload == raw
        assert (HEADER + body)[row.byte_offset : row.byte_offset + row.byte_length] == raw
        owner[row.row_no] = "bad"
    for fields in good:
        assert len(fields) == 4
        start = int(fields[0])
        # The line breaks inside its fields tell how many lines a good record spans.
        for row_no in range(start, start + 1 + sum(value.count("\n") for value in fields)):
            assert row_no not in owner
            owner[row_no] = "good"
    unowned = [raw for row_no, raw in enumerate(lines, 2) if row_no not in owner]
    assert all(not raw.decode().strip() for raw in unowned)
    assert len(unowned) == blank_lines
    assert max(owner, default=0) <= len(lines) + 1


@settings(max_examples=300, deadline=None)
@given(
    st.lists(st.lists(TEXTS, min_size=3, max_size=3), max_size=8),
    st.sampled_from(["utf-8", "utf-8-sig", "gb18030"]),
    st.sampled_from([",", ";", "|", "\t"]),
    st.sampled_from([("\r\n", csv.QUOTE_MINIMAL), ("\r\n", csv.QUOTE_ALL), ("\n", csv.QUOTE_ALL)]),
    BLOCK_SIZES,
)
def test_well_formed_file_of_any_text_comes_back_as_it_was(
    rows: list[list[str]], encoding: str, delimiter: str, form: tuple[str, int], block_size: int
) -> None:
    text = io.StringIO(newline="")
    # A lone CR is quoted by csv.writer only if the line terminator has one, or if everything is.
    line_end, quoting = form
    writer = csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerow(["证照", "b", "c"])
    writer.writerows(rows)
    good, bad, _, blank_lines = read(
        text.getvalue().encode(encoding),
        required_columns=["证照"],
        delimiter=delimiter,
        block_size=block_size,
        max_record_lines=1000,
    )
    assert blank_lines == 0
    if bad:
        # A line break with as many delimiters around it as a record has may stand between two records.
        assert quoting != csv.QUOTE_ALL
        assert {row.rule_id for row in bad} == {"row.quote"}
        assert any("\n" in value and delimiter in value for row in rows for value in row)
    else:
        assert [fields[1:] for fields in good] == rows


@settings(max_examples=500)
@given(st.text(st.sampled_from('",ab\\'), max_size=20))
def test_fields_are_split_as_the_strict_csv_reader_splits_them(line: str) -> None:
    raw = line.encode()
    fields = split_fields(raw, b",")
    try:
        expected = next(csv.reader([line], strict=True), [""])
    except csv.Error:
        assert fields is None or isinstance(fields, Fault)
        return
    assert fields == [value.encode() for value in expected or [""]]


@settings(max_examples=500)
@given(st.text(st.sampled_from('",ab '), max_size=20))
def test_quick_way_through_quotes_agrees_with_the_careful_one(line: str) -> None:
    parts = line.encode().split(b'"')
    if join_quoted(parts, b","):
        assert b"".join(parts).split(b"\t") == split_fields(line.encode(), b",")
