"""The header of a CSV file: which encoding, which columns, and what rejects the file as a whole."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from zhengku.errors import DeliveryRejected
from zhengku.readers.blocks import Note
from zhengku.readers.column_names import (
    as_required,
    check_count,
    check_names,
    missing_columns,
    missing_from,
    named_part,
    shown,
    with_names_for_nameless,
)
from zhengku.readers.mixed_encoding import is_utf8
from zhengku.readers.quoting import Fault, split_fields

SAMPLE_SIZE = 1024 * 1024
"""Bytes of a file, at least, from which the header is read and the encoding decided."""

# The first line by which spreadsheets are told the delimiter; some write it in quotes.
_DELIMITER_LINE: Final = re.compile(rb'"?sep=(.)"?[ \t]*\r?\Z', re.IGNORECASE)

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
    max_title_rows: int = 0

    @classmethod
    def of(
        cls,
        encodings: Sequence[str],
        delimiter: str,
        max_record_bytes: int,
        max_record_lines: int,
        max_columns: int,
        max_title_rows: int,
    ) -> "CsvForm":
        """Take what `zhengku.catalog.CsvFormat` has checked; a byte order mark is looked for in any case."""
        names = dict.fromkeys(codecs.lookup(name).name.removesuffix("-sig") for name in encodings)
        return cls(tuple(names), delimiter.encode(), max_record_bytes, max_record_lines, max_columns, max_title_rows)


@dataclass(frozen=True, slots=True)
class Header:
    """What the header told; `size` counts the bytes up to the first row.

    `columns` are those up to the last that has a name, `nameless` is how many follow. `delimiter` is the file's own.
    """

    columns: tuple[str, ...]
    nameless: int
    encoding: str
    delimiter: bytes
    size: int
    next_row_no: int
    blank_lines: int
    notes: tuple[Note, ...]


@dataclass(frozen=True, slots=True)
class _Reading:
    """The header as one encoding reads it."""

    encoding: str
    names: list[str]
    missing: list[str]
    size: int
    lines: int

    @property
    def is_complete(self) -> bool:
        """Whether it has all required columns."""
        return bool(self.names) and not self.missing


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
    begin = 0
    # Programs that add a mark to a file that has one leave two.
    while sample.startswith(codecs.BOM_UTF8, begin):
        begin += len(codecs.BOM_UTF8)
    candidates = ("utf-8",) if begin else encodings
    notes: list[Note] = []
    lines_before, blank_lines, begin, end = _skip_blank_lines(sample, begin)
    if named := _DELIMITER_LINE.match(sample[begin : end if end >= 0 else len(sample)]):
        form = _of_delimiter_line(form, named[1], notes)
        begin = end + 1 if end >= 0 else len(sample)
        more, blank, begin, end = _skip_blank_lines(sample, begin)
        lines_before, blank_lines = lines_before + 1 + more, blank_lines + blank
    if whole_file and not sample[begin:].strip(b" \t\r\n\x0b\x0c\x1a"):
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
    readings = _readings(sample, begin, candidates, form, required)
    if required and not any(reading.is_complete for reading in readings):
        below = _below_titles(sample, begin, candidates, form, required)
        if below is not None and _least_missing(below.readings) < _least_missing(readings, len(required)):
            titles = below.lines - below.blank
            notes.append(
                Note(
                    f"表头之前有{titles}行标题，未作为数据",
                    f"{titles} lines of titles above the header were passed over",
                )
            )
            lines_before, blank_lines = lines_before + below.lines, blank_lines + below.blank
            begin, readings = below.begin, below.readings
    if not readings:
        raise DeliveryRejected(
            "file.encoding",
            f"The header cannot be decoded as {_named(candidates)}. Save the file as CSV in UTF-8.",
            f"表头不是{_named(candidates)}编码。请另存为UTF-8编码的CSV后重新报送。",
        )
    complete = [reading for reading in readings if reading.is_complete]
    best = min(complete or readings, key=lambda each: (len(each.missing), not each.names))
    if len(complete) > 1:
        best = _fitting_best(sample[begin:], complete, whole_file)
    names = named_part(best.names)
    _check_shape(best, names, form)
    if best.missing:
        raise _missing_columns(best, required, form.delimiter)
    named_all = with_names_for_nameless(names)
    check_names(named_all)
    return Header(
        columns=as_required(named_all, required),
        nameless=len(best.names) - len(names),
        encoding=best.encoding,
        delimiter=form.delimiter,
        size=begin + best.size,
        next_row_no=lines_before + best.lines + 1,
        blank_lines=blank_lines,
        notes=tuple(notes),
    )


def _skip_blank_lines(sample: bytes, begin: int) -> tuple[int, int, int, int]:
    """Pass over blank lines from `begin`; return their number twice, where the next line begins, and its line feed.

    Only ASCII blanks here: the encoding is not known yet.
    """
    count = 0
    while (end := sample.find(b"\n", begin)) >= 0 and not sample[begin:end].strip():
        begin = end + 1
        count += 1
    return count, count, begin, end


def _of_delimiter_line(form: CsvForm, delimiter: bytes, notes: list[Note]) -> CsvForm:
    """Return the form with the delimiter that the file's first line names.

    Raises `DeliveryRejected` for one that cannot be.
    """
    if delimiter.isalnum() or delimiter in b'"\\ ' or not (delimiter == b"\t" or 0x20 < delimiter[0] < 0x7F):
        raise DeliveryRejected(
            "file.header",
            f"The first line says sep= and a delimiter that cannot be one; expected one ASCII punctuation mark or a "
            f"tab, as {form.delimiter.decode()!r}. Remove the line, or fix it.",
            "文件首行的“sep=”所写的分隔符无法使用。请删去该行或更正后重新报送。",
        )
    shown_delimiter = "制表符" if delimiter == b"\t" else delimiter.decode()
    other = "" if delimiter == form.delimiter else f"，与约定的“{form.delimiter.decode()}”不同，按文件所写读取"
    notes.append(
        Note(
            f"文件首行写明分隔符为“{shown_delimiter}”{other}",
            f"the first line names the delimiter {delimiter.decode()!r}, the feed's format {form.delimiter.decode()!r}",
        )
    )
    return replace(form, delimiter=delimiter)


def _readings(
    sample: bytes, begin: int, encodings: Sequence[str], form: CsvForm, required: Sequence[str]
) -> list[_Reading]:
    return [reading for encoding in encodings if (reading := _header_in(sample, begin, encoding, form, required))]


@dataclass(frozen=True, slots=True)
class _Below:
    """A header below `lines` lines, of which `blank` are blank: where it begins, and how it reads."""

    lines: int
    blank: int
    begin: int
    readings: list[_Reading]


def _below_titles(
    sample: bytes, begin: int, encodings: Sequence[str], form: CsvForm, required: Sequence[str]
) -> _Below | None:
    """Look for the header below some lines of titles: the first line with all required columns, or most of them."""
    found: _Below | None = None
    blank = 0
    for lines in range(1, form.max_title_rows + 1):
        feed = sample.find(b"\n", begin)
        if feed < 0:
            break
        blank += not sample[begin:feed].strip()
        begin = feed + 1
        below = _Below(lines, blank, begin, _readings(sample, begin, encodings, form, required))
        if below.readings and (found is None or _least_missing(below.readings) < _least_missing(found.readings)):
            found = below
    return found


def _least_missing(readings: Sequence[_Reading], otherwise: int = 0) -> int:
    return min((len(reading.missing) for reading in readings), default=otherwise)


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


def _check_shape(reading: _Reading, named: Sequence[str], form: CsvForm) -> None:
    """Raise `DeliveryRejected` for a header that is none; `named` are its names up to the last that is one."""
    if not reading.names:
        raise DeliveryRejected(
            "file.header",
            "The quotes of the header do not match; expected column names, each in two quotes or none. "
            "Fix the first line.",
            "表头的引号没有配对。请修正首行后重新报送。",
        )
    if not named:
        raise DeliveryRejected(
            "file.header",
            f"The header has {len(reading.names)} columns and no name; expected column names. Fix the first line.",
            "表头没有任何列名。请修正首行后重新报送。",
        )
    check_count(len(named), form.max_columns, "the delimiter")


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


def _fitting_best(sample: bytes, readings: Sequence[_Reading], whole_file: bool) -> _Reading:
    """Return the reading whose encoding leaves the fewest lines undecodable.

    Of those that leave as few it is UTF-8 where a line reads as such, and the first one otherwise.
    """
    lines = sample.split(b"\n")
    if not whole_file and len(lines) > 1:
        # The sample's end may cut a character in two.
        lines.pop()
    undecodable = {reading.encoding: _undecodable(lines, reading.encoding) for reading in readings}
    fewest = [each for each in readings if undecodable[each.encoding] == min(undecodable.values())]
    if len(fewest) > 1 and any(map(is_utf8, lines)):
        return min(fewest, key=lambda each: each.encoding != "utf-8")
    return fewest[0]


def _undecodable(lines: Sequence[bytes], encoding: str) -> int:
    count = 0
    for line in lines:
        try:
            line.decode(encoding)
        except UnicodeError:
            count += 1
    return count
