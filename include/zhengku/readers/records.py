"""Reads a landed CSV file as rows for PostgreSQL's COPY, a block at a time.

The input is bytes as a department sent them; the output is COPY *text format* in UTF-8, so that the database parses,
cleans and checks. A fault of the complete file raises `DeliveryRejected` before the first row; a fault of one row makes
a `BadRow` with its bytes, and the rows around it are read. Quoting is RFC 4180, except that blanks around a quoted
field are skipped. Empty fields after the last named column are ignored.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import accumulate
from typing import BinaryIO, Final, Literal

from zhengku.errors import DeliveryRejected
from zhengku.readers.blocks import PAYLOAD_LIMIT, BadRow, Block, Note
from zhengku.readers.header import SAMPLE_SIZE, CsvForm, Header, read_header
from zhengku.readers.mixed_encoding import is_utf8, utf8_lines
from zhengku.readers.quoting import Fault, is_invisible, join_quoted, split_fields

BLOCK_SIZE: Final = 128 * 1024
"""Bytes read at a time: few enough for the processor's cache, on which the speed depends."""

# Takes the place of a line that must be read field by field: one lone quote is never a record.
_SET_ASIDE = b'"'

# The mark that DOS and some later programs write after the end of a text (Ctrl-Z).
_END_OF_TEXT: Final = b"\x1a"

_BLANK_BYTES: Final = _END_OF_TEXT + b" \t\r\n"

_SHORT_LINE: Final = 1000
"""Bytes of the longest line whose fields are stored with it when they are too few or too many."""

_ROWS_NAMED: Final = 20
"""Rows that a note names by number; of further rows it gives only the count."""


def open_records(
    stream: BinaryIO,
    *,
    required_columns: Sequence[str],
    encodings: Sequence[str] = ("utf-8", "gb18030"),
    delimiter: str = ",",
    max_record_bytes: int = 1024 * 1024,
    max_record_lines: int = 64,
    max_columns: int = 500,
    max_title_rows: int = 10,
    allow_empty: bool = False,
    block_size: int = BLOCK_SIZE,
) -> "RecordReader":
    """Read the header of a CSV file and return a reader positioned before its first row.

    A byte order mark means UTF-8; otherwise the encoding is the first of `encodings` under which the header holds all
    `required_columns`, and where several do (a header of ASCII only), the one that leaves the fewest lines of the
    first MB undecodable. Columns may be in any order, and there may be more than the required ones. Above the header
    there may be a line that names the delimiter (`sep=;`), and `max_title_rows` lines of titles. A record may have
    `max_record_bytes` bytes of the file and span `max_record_lines` physical lines inside quotes.

    Raises `DeliveryRejected` with one of the rules `file.empty`, `file.encoding`, `file.not_text`, `file.header`,
    `file.line_end`, `file.missing_column`, `file.duplicate_column`, `file.too_many_columns`, `file.no_rows`. Encodings
    and delimiter are as `zhengku.catalog.CsvFormat` allows them; they are not checked again.
    """
    form = CsvForm.of(encodings, delimiter, max_record_bytes, max_record_lines, max_columns, max_title_rows)
    sample_size = max(SAMPLE_SIZE, max_record_bytes + 1)
    sample = _read_up_to(stream, sample_size)
    header = read_header(sample, len(sample) < sample_size, form, required_columns)
    reader = RecordReader(stream, form, header, sample[header.size :], block_size)
    if not reader.has_rows and not allow_empty:
        raise DeliveryRejected(
            "file.no_rows",
            f"The file has a header and no row ({reader.bytes_read} bytes); expected at least one. Deliver it again "
            "with its rows, or set allow_empty in the feed's format if an empty delivery is normal.",
            "文件只有表头，没有数据行。请核对后重新报送。",
        )
    return reader


class RecordReader:
    """The rows of one CSV file, in blocks; iterate it once.

    `columns` are the names of the header in the file's order, a required column by its required name. The totals are
    final when the iteration has ended: `fetched` = `good` + `bad`, every physical line that is not blank belongs to
    exactly one record, and a record that spans lines counts once.
    A file that is not in UTF-8 may have lines that are; they are read as UTF-8, and `notes` names them.
    """

    def __init__(self, stream: BinaryIO, form: CsvForm, header: Header, rest: bytes, block_size: int) -> None:
        self.columns: Final = header.columns
        self.unread: Final[tuple[str, ...]] = ()
        self.encoding: Final = header.encoding
        self.good = 0
        self.bad = 0
        self.blank_lines = header.blank_lines
        self._nameless = header.nameless
        self._notes = list(header.notes)
        self._utf8_rows: list[int] = []
        self._utf8_row_count = 0
        self.bytes_read = header.size + len(rest)
        self._stream = stream
        self._max_bytes = form.max_record_bytes
        self._max_lines = form.max_record_lines
        self._delimiter = header.delimiter
        self._block_size = block_size
        self._pending = rest
        self._offset = header.size
        self._row_no = header.next_row_no
        self._blocks = self._read_blocks()
        self._first = next(self._blocks, None)

    @property
    def fetched(self) -> int:
        """Records read so far, good and bad."""
        return self.good + self.bad

    @property
    def has_rows(self) -> bool:
        """Whether the file has any record."""
        return self._first is not None

    @property
    def notes(self) -> list[Note]:
        """Unusual things that made no row bad, so far."""
        if not self._utf8_row_count:
            return self._notes
        rows_zh = "、".join(map(str, self._utf8_rows)) + ("等" if self._utf8_row_count > len(self._utf8_rows) else "")
        rows_en = ", ".join(map(str, self._utf8_rows)) + (", …" if self._utf8_row_count > len(self._utf8_rows) else "")
        name = self.encoding.upper()
        return [
            *self._notes,
            Note(
                f"全文按{name}读取，其中{self._utf8_row_count}行是UTF-8，按UTF-8读取：第{rows_zh}行",
                f"{self._utf8_row_count} lines of a file in {name} are UTF-8, and were read as that: {rows_en}",
            ),
        ]

    def __iter__(self) -> Iterator[Block]:
        if self._first is not None:
            yield self._first
        yield from self._blocks

    def _read_blocks(self) -> Iterator[Block]:
        ended = False
        while True:
            if ended:
                self._pending = _without_end_of_text(self._pending)
            pending = self._pending
            cut = len(pending) if ended else pending.rfind(b"\n") + 1
            endless_line = not ended and len(pending) - cut > self._max_bytes
            if cut:
                block = self._convert(pending[:cut], complete=ended or endless_line)
                if block.rows or block.bad:
                    yield block
            if endless_line:
                yield self._skip_line()
            elif ended:
                return
            more = _read_up_to(self._stream, self._block_size)
            self.bytes_read += len(more)
            ended = len(more) < self._block_size
            self._pending += more

    def _convert(self, raw: bytes, complete: bool) -> Block:
        """Convert the complete lines `raw`, which are the start of the pending bytes.

        Unless `complete`, a record that is open at the end stays pending, so that following lines can close it.
        """
        lines = _Lines(raw, self.encoding, self._delimiter, self._max_bytes, blank_is_record=len(self.columns) == 1)
        rows = self._one_row_a_line(lines.escaped) if lines.escaped is not None else None
        if rows is not None:
            numbered_rows = list(map(b"%d\t%b\n".__mod__, enumerate(rows, self._row_no)))
            return self._block(len(raw), len(rows), numbered_rows, [], lines.utf8)
        delimiter, separators, first_row_no = self._delimiter, len(self.columns) - 1, self._row_no
        # With a tab as delimiter, a tab inside quotes and one between fields look the same once quotes are removed.
        quick_quotes = delimiter != b"\t"
        out: list[bytes] = []
        bad: list[BadRow] = []
        numbered = enumerate(lines.text, first_row_no)
        taken, taken_lines = len(raw), len(lines.text)
        for row_no, line in numbered:
            parts = line.split(b'"')
            quick = True
            if len(parts) == 1:
                row = line.replace(delimiter, b"\t")
            elif quick := quick_quotes and join_quoted(parts, delimiter):
                row = b"".join(parts)
            if quick and (surplus := row.count(b"\t") - separators) >= 0:
                if not surplus:
                    out.append(b"%d\t%b\n" % (row_no, row))
                    continue
                if row.endswith(b"\t" * surplus):
                    out.append(b"%d\t%b\n" % (row_no, row[:-surplus]))
                    continue
            index = row_no - first_row_no
            outcome = self._read_one(lines, index, complete)
            if isinstance(outcome, Fault):
                bad.append(self._bad_row(lines, index, outcome))
            elif isinstance(outcome, _Record):
                out.append(b"%d\t%b\n" % (row_no, outcome.row))
                for _ in range(outcome.lines - 1):
                    next(numbered)
            elif isinstance(outcome, _Swallowing):
                for place in range(index, index + outcome.lines):
                    if lines.is_blank(place):
                        self.blank_lines += 1
                    else:
                        bad.append(self._bad_row(lines, place, outcome.fault))
                for _ in range(outcome.lines - 1):
                    next(numbered)
            elif outcome == "blank":
                self.blank_lines += 1
            else:
                taken, taken_lines = lines.starts[index], index
                break
        return self._block(taken, taken_lines, out, bad, lines.utf8)

    def _block(self, taken: int, taken_lines: int, out: list[bytes], bad: list[BadRow], utf8: Sequence[int]) -> Block:
        """Move on by `taken` bytes and `taken_lines` physical lines, and return their rows as a block.

        `utf8` are the places of lines that are UTF-8 in a file that is not.
        """
        if utf8:
            rows = [self._row_no + place for place in utf8 if place < taken_lines]
            self._utf8_row_count += len(rows)
            self._utf8_rows += rows[: _ROWS_NAMED - len(self._utf8_rows)]
        self._row_no += taken_lines
        self._offset += taken
        self._pending = self._pending[taken:]
        self.good += len(out)
        self.bad += len(bad)
        return Block(b"".join(out), len(out), bad)

    def _one_row_a_line(self, text: bytes) -> list[bytes] | None:
        """Return the rows of a block of escaped lines as COPY text; None unless each line is one record.

        Most blocks are like that, and this takes two thirds of the time of reading line by line.
        """
        parts = text.split(b'"')
        if len(parts) > 1:
            # A line feed inside quotes is part of a record that spans lines.
            if self._delimiter == b"\t" or b"\n" in b"".join(parts[1::2]) or not join_quoted(parts, self._delimiter):
                return None
            text = b"".join(parts)
        else:
            text = text.replace(self._delimiter, b"\t")
        rows = _split_lines(text)
        separators = len(self.columns) - 1
        if all(row.count(b"\t") == separators for row in rows):
            return rows
        # Programs that count an empty column as used end every row with the same number of delimiters.
        surplus = rows[0].count(b"\t") - separators
        if surplus <= 0:
            return None
        end = b"\t" * surplus
        if all(row.endswith(end) and row.count(b"\t") == separators + surplus for row in rows):
            return [row[:-surplus] for row in rows]
        return None

    def _read_one(
        self, lines: "_Lines", index: int, complete: bool
    ) -> "_Record | _Swallowing | Fault | Literal['blank', 'unfinished']":
        """Read the record that starts at line `index` field by field, over as many lines as it may span."""
        if fault := lines.faults.get(index):
            return fault
        text = lines.line_at(index)
        quoted: list[bool] = []
        fields = split_fields(text, self._delimiter, quoted)
        last = index
        if fields is None:
            closed = self._close_quotes(lines, index, text, quoted, complete)
            if not isinstance(closed, tuple):
                return closed
            fields, last = closed
        if isinstance(fields, Fault):
            return fields if last == index else _UNCLOSED
        width = len(self.columns)
        if len(fields) > width and all(map(is_invisible, fields[width:])):
            fields = fields[:width]
        if len(fields) == width and not (width == 1 and lines.is_blank(index)):
            if last > index and self._swallows(fields, quoted):
                first_row, last_row = self._row_no + index, self._row_no + last
                return _Swallowing(
                    Fault(
                        "row.quote",
                        f"第{first_row}行的引号到第{last_row}行才配对，其间是完整的记录",
                        f"a quote opened in line {first_row} is closed in line {last_row}, with whole records between",
                    ),
                    last - index + 1,
                )
            if self._delimiter == b"\t":
                fields = [value.replace(b"\t", b"\\t") for value in fields]
            row = b"\t".join(fields).replace(b"\r", b"\\r").replace(b"\n", b"\\n")
            return _Record(row, last - index + 1)
        if last > index:
            return _UNCLOSED
        if lines.is_blank(index):
            return "blank"
        return self._ragged(fields, tuple(fields) if len(text) <= _SHORT_LINE else ())

    def _close_quotes(
        self, lines: "_Lines", index: int, text: bytes, quoted: list[bool], complete: bool
    ) -> "tuple[list[bytes] | Fault, int] | Fault | Literal['unfinished']":
        """Add following lines to a record `text` that ends inside quotes, until they are closed.

        Return the fields, or what is wrong with them, and the index of the last line; a fault where the quotes are not
        closed within the limits of a record, `unfinished` where lines that are not read yet may close them.
        """
        fields: list[bytes] | Fault | None = None
        last = index
        while fields is None:
            last += 1
            if last == len(lines.text) and not complete and last - index < self._max_lines:
                # A record that has reached the limit cannot be closed by following lines.
                if len(lines.raw) - lines.starts[index] <= self._max_bytes:
                    return "unfinished"
                return _UNCLOSED
            if last == len(lines.text) or last - index >= self._max_lines or last in lines.faults:
                return _UNCLOSED
            if lines.starts[last] + len(lines.raw_lines[last]) - lines.starts[index] > self._max_bytes:
                return _UNCLOSED
            following = lines.line_at(last)
            text += lines.line_end(last - 1) + following
            if b'"' in following:
                fields = split_fields(text, self._delimiter, quoted)
        return fields, last

    def _ragged(self, fields: Sequence[bytes], cells: tuple[bytes, ...]) -> Fault:
        """Return the fault of a row that has another number of fields than the header."""
        width = len(self.columns)
        if width < len(fields) <= width + self._nameless:
            named = next(place for place, value in enumerate(fields, 1) if place > width and not is_invisible(value))
            return Fault(
                "row.ragged",
                f"第{named}列没有列名，却有内容",
                f"a value in column {named}, to which the header gives no name",
                cells,
            )
        return Fault(
            "row.ragged",
            f"应有{width}列，实有{len(fields)}列",
            f"expected {width} fields, got {len(fields)}",
            cells,
        )

    def _swallows(self, fields: Sequence[bytes], quoted: Sequence[bool]) -> bool:
        """Return whether a field of a record that spans lines contains complete records: a quote that was not meant.

        A line inside the field that has as many fields as a record is taken for one. The first and the last line are
        only partly inside the field: they count when both have as many fields together with their other parts.
        """
        width = len(self.columns)
        # A program that quotes every field doubles the quotes in them. With only one column, any line is a record.
        if width == 1 or all(quoted):
            return False
        for place, value in enumerate(fields):
            if b"\n" not in value:
                continue
            first, *between, last = value.split(b"\n")
            if any(self._has_fields(line, width) for line in between):
                return True
            if self._has_fields(first, width - place) and self._has_fields(last, place + 1):
                return True
        return False

    def _has_fields(self, part: bytes, width: int) -> bool:
        fields = part.split(self._delimiter)
        return len(fields) >= width and all(map(is_invisible, fields[width:]))

    def _bad_row(self, lines: "_Lines", index: int, fault: "Fault") -> BadRow:
        raw = lines.raw_lines[index]
        return BadRow(
            row_no=self._row_no + index,
            rule_id=fault.rule_id,
            detail_zh=fault.detail_zh,
            detail_en=fault.detail_en,
            byte_offset=self._offset + lines.starts[index],
            byte_length=len(raw),
            sha256=sha256(raw).hexdigest(),
            payload=raw[:PAYLOAD_LIMIT],
            cells=tuple(value.decode() for value in fault.fields),
        )

    def _skip_line(self) -> Block:
        """Read on to the end of a line that is longer than any record; only its start and its digest are stored."""
        piece, self._pending = self._pending, b""
        payload = piece[:PAYLOAD_LIMIT]
        digest = sha256()
        length = 0
        while piece:
            end = piece.find(b"\n")
            if end >= 0:
                digest.update(memoryview(piece)[:end])
                length += end
                self._pending = piece[end + 1 :]
                break
            digest.update(piece)
            length += len(piece)
            piece = _read_up_to(self._stream, self._block_size)
            self.bytes_read += len(piece)
        fault = _too_long(length, self._max_bytes)
        row = BadRow(
            self._row_no,
            fault.rule_id,
            fault.detail_zh,
            fault.detail_en,
            self._offset,
            length,
            digest.hexdigest(),
            payload[:length],
        )
        self._offset += length + 1
        self._row_no += 1
        self.bad += 1
        return Block(b"", 0, [row])


@dataclass(frozen=True, slots=True)
class _Record:
    """A record that was read field by field: its COPY text, and how many physical lines it spans."""

    row: bytes
    lines: int


@dataclass(frozen=True, slots=True)
class _Swallowing:
    """Lines that a quote joins into one record, although there are complete records among them."""

    fault: Fault
    lines: int


_UNCLOSED = Fault("row.quote", "引号没有配对", "a quote opens and no following line closes it into a record")


def _too_long(length: int, limit: int) -> Fault:
    return Fault("row.too_long", f"本行{length}字节，上限{limit}字节", f"{length} bytes, the limit is {limit}")


@dataclass
class _Lines:
    """Complete physical lines: `text` is UTF-8 escaped for COPY, without line ends; `escaped` the same in one piece.

    `escaped` is None where one of the lines cannot be decoded together with the others. A line that has a fault, or has
    to be read field by field, is `_SET_ASIDE` in `text`: its fault is in `faults`, its text in `by_field`. `utf8` are
    the places of lines that are UTF-8 while `encoding` is not.
    """

    raw: bytes
    encoding: str
    delimiter: bytes
    max_bytes: int
    blank_is_record: bool
    escaped: bytes | None = field(init=False, default=None)
    faults: dict[int, Fault] = field(init=False, default_factory=dict)
    by_field: dict[int, bytes] = field(init=False, default_factory=dict)
    utf8: list[int] = field(init=False, default_factory=list)

    def __post_init__(self) -> None:
        raw = self.raw
        short = len(raw) <= self.max_bytes or max(map(len, self.raw_lines)) <= self.max_bytes
        if short and b"\0" not in raw and not self.blank_is_record:
            try:
                if self.encoding == "utf-8":
                    raw.decode()
                    escaped = self._escape(raw)
                else:
                    escaped = self._escape(self._in_utf8())
            except UnicodeError:
                pass
            else:
                # Splitting at the carriage returns takes half the time of replacing pairs of bytes.
                first, *others = escaped.split(b"\r")
                if all(part.startswith(b"\n") for part in others):
                    self.escaped = b"".join((first, *others))

    def _in_utf8(self) -> bytes:
        """Return the lines in UTF-8; raises `UnicodeDecodeError`."""
        self.utf8 = utf8_lines(self.raw_lines)
        if not self.utf8:
            return self.raw.decode(self.encoding).encode()
        as_they_are = set(self.utf8)
        text = b"\n".join(
            line if place in as_they_are else line.decode(self.encoding).encode()
            for place, line in enumerate(self.raw_lines)
        )
        return text + b"\n" if self.raw.endswith(b"\n") else text

    @cached_property
    def text(self) -> list[bytes]:
        """The lines one by one."""
        if self.escaped is None:
            return [self._one(index, line) for index, line in enumerate(self.raw_lines)]
        return _split_lines(self.escaped)

    def _escape(self, text: bytes) -> bytes:
        if b"\\" in text:
            text = text.replace(b"\\", b"\\\\")
        if b"\t" in text and self.delimiter != b"\t":
            text = text.replace(b"\t", b"\\t")
        return text

    def _one(self, index: int, raw: bytes) -> bytes:
        """Return one line, escaped, of a block that cannot be decoded at once."""
        fault: Fault | None = None
        text = b""
        if len(raw) > self.max_bytes:
            fault = _too_long(len(raw), self.max_bytes)
        elif (nul := raw.find(b"\0")) >= 0:
            fault = Fault("row.nul", f"第{nul + 1}字节为空字符（NUL）", f"NUL at byte {nul + 1} of the row")
        else:
            try:
                text = self._escape(raw.decode(self._encoding_of(index)).encode()).rstrip(b"\r")
            except UnicodeError as error:
                start = error.start + 1 if isinstance(error, UnicodeDecodeError) else 1
                fault = Fault(
                    "row.encoding",
                    f"第{start}字节起不是{self.encoding.upper()}编码",
                    f"not {self.encoding.upper()} from byte {start} of the row",
                )
        if fault:
            self.faults[index] = fault
            return _SET_ASIDE
        if b"\r" in text or (self.blank_is_record and self.is_blank(index)):
            self.by_field[index] = text
            return _SET_ASIDE
        return text

    def _encoding_of(self, index: int) -> str:
        """Return the encoding of one line, noting one that is UTF-8 in a file that is not."""
        if self.encoding == "utf-8" or not is_utf8(self.raw_lines[index]):
            return self.encoding
        if index not in self.utf8:
            self.utf8.append(index)
        return "utf-8"

    def line_at(self, index: int) -> bytes:
        """Return the escaped line, set aside or not."""
        return self.by_field.get(index, self.text[index])

    def line_end(self, index: int) -> bytes:
        """Return the line's end as in the file, for a field that spans lines."""
        raw = self.raw_lines[index]
        return b"\r" * (len(raw) - len(raw.rstrip(b"\r"))) + b"\n"

    def is_blank(self, index: int) -> bool:
        """Whether the line has only white space, full-width blanks and marks for the end of the text."""
        return not self.raw_lines[index].strip(_BLANK_BYTES).decode(self._encoding_of(index)).strip()

    @cached_property
    def raw_lines(self) -> list[bytes]:
        """The lines as received, without the line feed."""
        return _split_lines(self.raw)

    @cached_property
    def starts(self) -> list[int]:
        """Where each line starts in `raw`, and where the next one would."""
        return list(accumulate((len(line) + 1 for line in self.raw_lines), initial=0))


def _without_end_of_text(text: bytes) -> bytes:
    """Return the end of a file without its marks for the end of the text."""
    # Tabs stay: they may be delimiters.
    end = text.rstrip(_END_OF_TEXT + b" \r\n")
    return end if _END_OF_TEXT in text[len(end) :] else text


def _split_lines(text: bytes) -> list[bytes]:
    """Split complete lines, of which the last may lack its line feed."""
    lines = text.split(b"\n")
    if text.endswith(b"\n"):
        lines.pop()
    return lines


def _read_up_to(stream: BinaryIO, size: int) -> bytes:
    """Read `size` bytes, fewer only at the end of the stream, however few each read gives."""
    data = stream.read(size)
    if len(data) in (0, size):
        return data
    pieces = [data]
    missing = size - len(data)
    while missing > 0 and (data := stream.read(missing)):
        pieces.append(data)
        missing -= len(data)
    return b"".join(pieces)
