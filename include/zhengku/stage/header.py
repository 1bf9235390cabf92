"""The header of a CSV file: which encoding, which columns, and what rejects the file as a whole."""

import codecs
from collections.abc import Sequence
from dataclasses import dataclass

from zhengku.errors import DeliveryRejected
from zhengku.stage.column_names import as_required, check_count, check_names, missing_columns, missing_from, shown
from zhengku.stage.quoting import Fault, split_fields

SAMPLE_SIZE = 1024 * 1024
"""Bytes of a file, at least, from which the header is read and the encoding decided."""

_FOREIGN_STARTS = (
    (b"\xff\xfe", "UTF-16", "UTF-16"),
    (b"\xfe\xff", "UTF-16", "UTF-16"),
    (b"PK\x03\x04", "a spreadsheet or ZIP archive", "电子表格（XLSX）或压缩包"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook", "旧版Excel工作簿"),
    (b"\x1f\x8b", "a gzip archive", "gzip压缩包"),
)


@dataclass(frozen=True, slots=True)
class CsvForm:
    """How a feed writes its CSV files: `delimiter` is one byte, `encodings` are canonical names."""

    encodings: tuple[str, ...]
    delimiter: bytes
    max_record_bytes: int
    max_record_lines: int
    max_columns: int

    @classmethod
    def of(
        cls,
        encodings: Sequence[str],
        delimiter: str,
        max_record_bytes: int,
        max_record_lines: int,
        max_columns: int,
    ) -> "CsvForm":
        """Take what `zhengku.catalog.CsvFormat` has checked; a byte order mark is looked for in any case."""
        names = dict.fromkeys(codecs.lookup(name).name.removesuffix("-sig") for name in encodings)
        return cls(tuple(names), delimiter.encode(), max_record_bytes, max_record_lines, max_columns)


@dataclass(frozen=True, slots=True)
class Header:
    """What the header told; `size` counts the bytes up to the first row."""

    columns: tuple[str, ...]
    encoding: str
    size: int
    next_row_no: int
    blank_lines: int


@dataclass(frozen=True, slots=True)
class _Reading:
    """The header as one encoding reads it."""

    encoding: str
    names: list[str]
    missing: list[str]
    size: int
    lines: int


def read_header(sample: bytes, whole_file: bool, form: CsvForm, required: Sequence[str]) -> Header:
    """Read the header from the first bytes of a file; `whole_file` says that there are no more.

    Raises `DeliveryRejected` with a rule `file.…`.
    """
    encodings = form.encodings
    expected = shown(required)
    for start, name_en, name_zh in _FOREIGN_STARTS:
        if sample.startswith(start):
            rule = "file.encoding" if name_en == "UTF-16" else "file.not_text"
            raise DeliveryRejected(
                rule,
                f"The file is {name_en}; expected CSV text in {_named(encodings)}. Save it as CSV in UTF-8.",
                f"文件是{name_zh}，不是{_named(encodings)}编码的CSV文本。请另存为UTF-8编码的CSV后重新报送。",
            )
    begin = len(codecs.BOM_UTF8) if sample.startswith(codecs.BOM_UTF8) else 0
    candidates = ("utf-8",) if begin else encodings
    blank_lines = 0
    # Only ASCII blanks here: the encoding is not known yet.
    while (end := sample.find(b"\n", begin)) >= 0 and not sample[begin:end].strip():
        begin = end + 1
        blank_lines += 1
    if whole_file and not sample[begin:].strip():
        raise DeliveryRejected(
            "file.empty",
            f"The file is empty ({len(sample)} bytes); expected a header with {expected}. Deliver the file again.",
            "文件是空的。请核对后重新报送。",
        )
    first_line = sample[begin : end if end >= 0 else len(sample)]
    if b"\0" in first_line:
        raise DeliveryRejected(
            "file.encoding",
            f"The header holds NUL bytes, so the file is probably UTF-16; expected {_named(candidates)}. "
            "Save it as CSV in UTF-8.",
            f"表头含空字符，文件可能是UTF-16编码，应为{_named(candidates)}。请另存为UTF-8编码的CSV后重新报送。",
        )
    if b"\r" in first_line.rstrip(b"\r"):
        raise DeliveryRejected(
            "file.line_end",
            "The header has carriage returns without line feeds (old Mac line ends); expected LF or CRLF. "
            "Save the file with LF or CRLF line ends.",
            "文件以单独的回车符（CR）换行。请改用LF或CRLF换行后重新报送。",
        )
    if len(first_line) > form.max_record_bytes:
        raise DeliveryRejected(
            "file.header",
            f"The first line is longer than {form.max_record_bytes} bytes; expected a header with {expected}. "
            "Check that the file is CSV with line ends.",
            f"首行超过{form.max_record_bytes}字节，不是表头。请核对文件格式后重新报送。",
        )
    readings = [reading for encoding in candidates if (reading := _header_in(sample, begin, encoding, form, required))]
    if not readings:
        raise DeliveryRejected(
            "file.encoding",
            f"The header cannot be decoded as {_named(candidates)}. Save the file as CSV in UTF-8.",
            f"表头不是{_named(candidates)}编码。请另存为UTF-8编码的CSV后重新报送。",
        )
    complete = [reading for reading in readings if not reading.missing and reading.names]
    best = min(complete or readings, key=lambda each: (len(each.missing), not each.names))
    if len(complete) > 1:
        best = min(complete, key=lambda each: _undecodable_lines(sample[begin:], each.encoding, whole_file))
    _check_shape(best, form)
    if best.missing:
        raise _missing_columns(best, required, form.delimiter)
    check_names(best.names)
    return Header(
        columns=as_required(best.names, required),
        encoding=best.encoding,
        size=begin + best.size,
        next_row_no=blank_lines + best.lines + 1,
        blank_lines=blank_lines,
    )


def _header_in(sample: bytes, begin: int, encoding: str, form: CsvForm, required: Sequence[str]) -> _Reading | None:
    """Read the header, which may span lines inside quotes, or return None when the encoding does not fit.

    `names` is empty when the quotes of the header do not match.
    """
    end = begin
    lines = 0
    fields: list[bytes] | Fault | None = None
    feed = begin
    while fields is None and feed >= 0 and lines < form.max_record_lines and end - begin <= form.max_record_bytes:
        lines += 1
        feed = sample.find(b"\n", end)
        end = feed + 1 if feed >= 0 else len(sample)
        raw = sample[begin:end].removesuffix(b"\n")
        try:
            text = raw.decode(encoding).encode()
        except UnicodeError:
            return None
        fields = split_fields(text.rstrip(b"\r"), form.delimiter)
    if fields is None or isinstance(fields, Fault):
        return _Reading(encoding, [], list(required), end - begin, lines)
    names = [value.decode() for value in fields]
    return _Reading(encoding, names, missing_from(names, required), end - begin, lines)


def _check_shape(reading: _Reading, form: CsvForm) -> None:
    if not reading.names:
        raise DeliveryRejected(
            "file.header",
            "The quotes of the header do not match; expected column names, each in two quotes or none. "
            "Mend the first line.",
            "表头的引号没有配对。请修正首行后重新报送。",
        )
    check_count(len(reading.names), form.max_columns, "the delimiter")


def _missing_columns(reading: _Reading, required: Sequence[str], delimiter: bytes) -> DeliveryRejected:
    hint, hint_zh = "", ""
    if len(reading.names) == 1:
        others = [mark for mark in (",", ";", "\t", "|") if mark.encode() != delimiter and mark in reading.names[0]]
        if others:
            hint = f" The fields seem to be separated by {others[0]!r}, the feed's format says {delimiter.decode()!r}."
            hint_zh = "分隔符可能与约定不符。"
    return missing_columns(reading.names, required, f" (read as {reading.encoding.upper()}).{hint}", hint_zh)


def _named(encodings: Sequence[str]) -> str:
    return "/".join(encoding.upper() for encoding in encodings)


def _undecodable_lines(sample: bytes, encoding: str, whole_file: bool) -> int:
    lines = sample.split(b"\n")
    if not whole_file and len(lines) > 1:
        # The sample's end may cut a character in two.
        lines.pop()
    count = 0
    for line in lines:
        try:
            line.decode(encoding)
        except UnicodeError:
            count += 1
    return count
