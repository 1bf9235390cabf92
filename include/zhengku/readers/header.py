"""The header of a CSV file: its encoding and columns, and the faults that reject the complete file."""

import codecs
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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

# The first line that names the delimiter to spreadsheet programs; some write it in quotes.
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
        """Return the form for settings that `CsvFormat` has checked; a byte order mark is looked for in any case."""
        names = dict.fromkeys(codecs.lookup(name).name.removesuffix("-sig") for name in encodings)
        return cls(tuple(names), delimiter.encode(), max_record_bytes, max_record_lines, max_columns, max_title_rows)


@dataclass(frozen=True, slots=True)
class Header:
    """A header that was read; `size` counts the bytes up to the first row.

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


@dataclass(slots=True)
class _Start:
    """Where the header is looked for: at `offset` of the sample, below `lines` lines, of which `blank` are blank."""

    sample: bytes
    form: CsvForm
    offset: int = 0
    lines: int = 0
    blank: int = 0
    notes: list[Note] = field(default_factory=list)

    @property
    def line_end(self) -> int:
        """Where the line at `offset` ends."""
        feed = self.sample.find(b"\n", self.offset)
        return feed if feed >= 0 else len(self.sample)

    @property
    def line(self) -> bytes:
        """The line at `offset`, without its line feed."""
        return self.sample[self.offset : self.line_end]

    def skip_line(self) -> None:
        """Move on to the next line."""
        self.offset = min(self.line_end + 1, len(self.sample))
        self.lines += 1

    def skip_blank_lines(self) -> None:
        """Skip lines of ASCII blanks: the encoding is not known yet."""
        while self.sample.find(b"\n", self.offset) >= 0 and not self.line.strip():
            self.skip_line()
            self.blank += 1


def read_header(sample: bytes, is_complete: bool, form: CsvForm, required: Sequence[str]) -> Header:
    """Read the header from the first bytes of a file; `is_complete` says that they are all.

    Raises `DeliveryRejected` with a rule `file.…`.
    """
    _check_is_text(sample, form.encodings)
    start = _Start(sample, form)
    # Programs that add a byte order mark to a file that has one leave two.
    while sample.startswith(codecs.BOM_UTF8, start.offset):
        start.offset += len(codecs.BOM_UTF8)
    encodings = ("utf-8",) if start.offset else form.encodings
    start.skip_blank_lines()
    if named := _DELIMITER_LINE.match(start.line):
        start.form = _of_delimiter_line(form, named[1], start.notes)
        start.skip_line()
        start.skip_blank_lines()
    _check_first_line(start, is_complete, encodings, required)
    reading = _best_reading(start, is_complete, encodings, required)
    names = named_part(reading.names)
    _check_shape(reading, names, start.form)
    if reading.missing:
        raise _missing_columns(reading, required, start.form.delimiter)
    named_all = with_names_for_nameless(names)
    check_names(named_all)
    return Header(
        columns=as_required(named_all, required),
        nameless=len(reading.names) - len(names),
        encoding=reading.encoding,
        delimiter=start.form.delimiter,
        size=start.offset + reading.size,
        next_row_no=start.lines + reading.lines + 1,
        blank_lines=start.blank,
        notes=tuple(start.notes),
    )


def _check_is_text(sample: bytes, encodings: Sequence[str]) -> None:
    """Raise `DeliveryRejected` for a file that starts like one of another kind, or in UTF-16."""
    for start, name_en, name_zh in _FOREIGN_STARTS:
        if sample.startswith(start):
            raise DeliveryRejected(
                "file.encoding" if name_en == "UTF-16" else "file.not_text",
                f"The file is {name_en}; expected CSV text in {_named(encodings)}. Save it as CSV in UTF-8.",
                f"文件是{name_zh}，不是{_named(encodings)}编码的CSV文本。请另存为UTF-8编码的CSV后重新报送。",
            )


def _check_first_line(start: _Start, is_complete: bool, encodings: Sequence[str], required: Sequence[str]) -> None:
    """Raise `DeliveryRejected` when nothing follows, or the first line can be no header in any encoding."""
    if is_complete and not start.sample[start.offset :].strip(b" \t\r\n\x0b\x0c\x1a"):
        raise DeliveryRejected(
            "file.empty",
            f"The file is empty ({len(start.sample)} bytes); expected a header with {shown(required)}. Deliver the "
            "file again.",
            "文件是空的。请核对后重新报送。",
        )
    first_line = start.line
    if b"\0" in first_line:
        raise DeliveryRejected(
            "file.encoding",
            f"The header holds NUL bytes, so the file is probably UTF-16; expected {_named(encodings)}. "
            "Save it as CSV in UTF-8.",
            f"表头含空字符，文件可能是UTF-16编码，应为{_named(encodings)}。请另存为UTF-8编码的CSV后重新报送。",
        )
    if b"\r" in first_line.rstrip(b"\r"):
        raise DeliveryRejected(
            "file.line_end",
            "The header has carriage returns without line feeds (old Mac line ends); expected LF or CRLF. "
            "Save the file with LF or CRLF line ends.",
            "文件以单独的回车符（CR）换行。请改用LF或CRLF换行后重新报送。",
        )
    if len(first_line) > start.form.max_record_bytes:
        raise DeliveryRejected(
            "file.header",
            f"The first line is longer than {start.form.max_record_bytes} bytes; expected a header with "
            f"{shown(required)}. Check that the file is CSV with line ends.",
            f"首行超过{start.form.max_record_bytes}字节，不是表头。请核对文件格式后重新报送。",
        )


def _best_reading(start: _Start, is_complete: bool, encodings: Sequence[str], required: Sequence[str]) -> _Reading:
    """Return the header as the encoding that fits best reads it; `start` moves on to it where titles are above it.

    Raises `DeliveryRejected` when none of the encodings fits.
    """
    readings = _readings(start.sample, start.offset, encodings, start.form, required)
    if required and not any(reading.is_complete for reading in readings):
        below = _below_titles(start, encodings, required)
        if below is not None and _least_missing(below.readings) < _least_missing(readings, len(required)):
            titles = below.lines - below.blank
            start.notes.append(
                Note(
                    f"表头之前有{titles}行标题，未作为数据",
                    f"{titles} lines of titles above the header were passed over",
                )
            )
            start.lines, start.blank = start.lines + below.lines, start.blank + below.blank
            start.offset, readings = below.offset, below.readings
    if not readings:
        raise DeliveryRejected(
            "file.encoding",
            f"The header cannot be decoded as {_named(encodings)}. Save the file as CSV in UTF-8.",
            f"表头不是{_named(encodings)}编码。请另存为UTF-8编码的CSV后重新报送。",
        )
    complete = [reading for reading in readings if reading.is_complete]
    if len(complete) > 1:
        return _fitting_best(start.sample[start.offset :], complete, is_complete)
    return min(complete or readings, key=lambda each: (len(each.missing), not each.names))


def _of_delimiter_line(form: CsvForm, delimiter: bytes, notes: list[Note]) -> CsvForm:
    """Return the form with the delimiter that the file's first line names.

    Raises `DeliveryRejected` for a character that cannot be a delimiter.
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
    sample: bytes, start: int, encodings: Sequence[str], form: CsvForm, required: Sequence[str]
) -> list[_Reading]:
    return [reading for encoding in encodings if (reading := _header_in(sample, start, encoding, form, required))]


@dataclass(frozen=True, slots=True)
class _Below:
    """A header below `lines` more lines, of which `blank` are blank: where it starts, and how it reads."""

    lines: int
    blank: int
    offset: int
    readings: list[_Reading]


def _below_titles(start: _Start, encodings: Sequence[str], required: Sequence[str]) -> _Below | None:
    """Look for the header below lines of titles: the first line with all required columns, or with most of them."""
    sample, offset = start.sample, start.offset
    found: _Below | None = None
    blank = 0
    for lines in range(1, start.form.max_title_rows + 1):
        feed = sample.find(b"\n", offset)
        if feed < 0:
            break
        blank += not sample[offset:feed].strip()
        offset = feed + 1
        below = _Below(lines, blank, offset, _readings(sample, offset, encodings, start.form, required))
        if below.readings and (found is None or _least_missing(below.readings) < _least_missing(found.readings)):
            found = below
    return found


def _least_missing(readings: Sequence[_Reading], otherwise: int = 0) -> int:
    return min((len(reading.missing) for reading in readings), default=otherwise)


def _header_in(sample: bytes, start: int, encoding: str, form: CsvForm, required: Sequence[str]) -> _Reading | None:
    """Read the header, which may span lines inside quotes, or return None when the encoding does not fit.

    `names` is empty when the quotes of the header do not match.
    """
    end = start
    lines = 0
    fields: list[bytes] | Fault | None = None
    feed = start
    while fields is None and feed >= 0 and lines < form.max_record_lines and end - start <= form.max_record_bytes:
        lines += 1
        feed = sample.find(b"\n", end)
        end = feed + 1 if feed >= 0 else len(sample)
        raw = sample[start:end].removesuffix(b"\n")
        try:
            text = raw.decode(encoding).encode()
        except UnicodeError:
            return None
        fields = split_fields(text.rstrip(b"\r"), form.delimiter)
    if fields is None or isinstance(fields, Fault):
        return _Reading(encoding, [], list(required), end - start, lines)
    names = [value.decode() for value in fields]
    return _Reading(encoding, names, missing_from(names, required), end - start, lines)


def _check_shape(reading: _Reading, named: Sequence[str], form: CsvForm) -> None:
    """Raise `DeliveryRejected` for a line that is no header; `named` are its names up to the last that is not blank."""
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


def _fitting_best(sample: bytes, readings: Sequence[_Reading], is_complete: bool) -> _Reading:
    """Return the reading whose encoding leaves the fewest lines undecodable.

    Where several leave as few, it is UTF-8 if a line can be read as that, and the first one otherwise.
    """
    lines = sample.split(b"\n")
    if not is_complete and len(lines) > 1:
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
