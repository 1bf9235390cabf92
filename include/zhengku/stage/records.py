"""Reads a landed CSV file as rows for PostgreSQL's COPY, a block at a time.

The input is bytes as a department sent them; the output is COPY *text format* in UTF-8, so that the database parses,
cleans and checks. What is wrong with the file as a whole raises `DeliveryRejected` before the first row; what is wrong
with a row makes a `BadRow` with its bytes, and the rows around it are read. Quoting is RFC 4180.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import sha256
from itertools import accumulate
from typing import BinaryIO, Final, Literal

from zhengku.errors import DeliveryRejected
from zhengku.stage.blocks import PAYLOAD_LIMIT, BadRow, Block
from zhengku.stage.header import SAMPLE_SIZE, CsvForm, Header, read_header
from zhengku.stage.quoting import Fault, join_quoted, split_fields

BLOCK_SIZE: Final = 128 * 1024
"""Bytes read at a time: small enough for the processor's cache, which is where the time goes."""

# Takes the place of a line that the quick way must not read: one lone quote is never a record.
_SET_ASIDE = b'"'


def open_records(
    stream: BinaryIO,
    *,
    required_columns: Sequence[str],
    encodings: Sequence[str] = ("utf-8", "gb18030"),
    delimiter: str = ",",
    max_record_bytes: int = 1024 * 1024,
    max_record_lines: int = 64,
    max_columns: int = 500,
    allow_empty: bool = False,
    block_size: int = BLOCK_SIZE,
) -> "RecordReader":
    """Read the header of a CSV file and return a reader that stands before its first row.

    A byte order mark means UTF-8; otherwise the encoding is the first of `encodings` under which the header holds all
    `required_columns`, and where several do (a header of ASCII alone), the one that leaves the fewest lines of the
    first MB undecodable. Columns may stand in any order, and more than the required ones may come. A record may have
    `max_record_bytes` bytes of the file and span `max_record_lines` physical lines inside quotes.

    Raises `DeliveryRejected` with one of the rules `file.empty`, `file.encoding`, `file.not_text`, `file.header`,
    `file.line_end`, `file.missing_column`, `file.duplicate_column`, `file.too_many_columns`, `file.no_rows`. Encodings
    and delimiter are as `zhengku.catalog.CsvFormat` allows them; they are not checked again.
    """
    form = CsvForm.of(encodings, delimiter, max_record_bytes, max_record_lines, max_columns)
    wanted = max(SAMPLE_SIZE, max_record_bytes + 1)
    sample = _read_up_to(stream, wanted)
    header = read_header(sample, len(sample) < wanted, form, required_columns)
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
    """

    def __init__(self, stream: BinaryIO, form: CsvForm, header: Header, rest: bytes, block_size: int) -> None:
        self.columns: Final = header.columns
        self.unread: Final[tuple[str, ...]] = ()
        self.encoding: Final = header.encoding
        self.good = 0
        self.bad = 0
        self.blank_lines = header.blank_lines
        self.bytes_read = header.size + len(rest)
        self._stream = stream
        self._max_bytes = form.max_record_bytes
        self._max_lines = form.max_record_lines
        self._delimiter = form.delimiter
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

    def __iter__(self) -> Iterator[Block]:
        if self._first is not None:
            yield self._first
        yield from self._blocks

    def _read_blocks(self) -> Iterator[Block]:
        ended = False
        while True:
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
        """Take the whole lines `raw` from the start of what is pending.

        Unless `complete`, a record that stays open at the end is left pending, so that the lines to come can close it.
        """
        lines = _Lines(raw, self.encoding, self._delimiter, self._max_bytes, blank_is_record=len(self.columns) == 1)
        rows = self._rows_of_whole(lines.escaped) if lines.escaped is not None else None
        if rows is not None:
            return self._take(len(raw), len(rows), list(map(b"%d\t%b\n".__mod__, enumerate(rows, self._row_no))), [])
        delimiter, separators, first_row_no = self._delimiter, len(self.columns) - 1, self._row_no
        # With a tab as delimiter a tab inside quotes cannot be told from one between fields once quotes are gone.
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
            if quick and row.count(b"\t") == separators:
                out.append(b"%d\t%b\n" % (row_no, row))
                continue
            index = row_no - first_row_no
            outcome = self._read_with_care(lines, index, complete)
            if isinstance(outcome, Fault):
                bad.append(self._bad_row(lines, index, outcome))
            elif isinstance(outcome, _Record):
                out.append(b"%d\t%b\n" % (row_no, outcome.row))
                for _ in range(outcome.lines - 1):
                    next(numbered)
            elif outcome == "blank":
                self.blank_lines += 1
            else:
                taken, taken_lines = lines.starts[index], index
                break
        return self._take(taken, taken_lines, out, bad)

    def _take(self, taken: int, taken_lines: int, out: list[bytes], bad: list[BadRow]) -> Block:
        """Move on by so many bytes and physical lines, and return the block that was made of them."""
        self._row_no += taken_lines
        self._offset += taken
        self._pending = self._pending[taken:]
        self.good += len(out)
        self.bad += len(bad)
        return Block(b"".join(out), len(out), bad)

    def _rows_of_whole(self, text: bytes) -> list[bytes] | None:
        """Return the rows of a block of escaped lines of which each is a record, as COPY text; None for any other.

        Most blocks are such, and this takes two thirds of the time that reading them line by line does.
        """
        parts = text.split(b'"')
        if len(parts) > 1:
            # A line feed inside quotes would be one of a record that spans lines.
            if self._delimiter == b"\t" or b"\n" in b"".join(parts[1::2]) or not join_quoted(parts, self._delimiter):
                return None
            text = b"".join(parts)
        else:
            text = text.replace(self._delimiter, b"\t")
        rows = _split_lines(text)
        separators = len(self.columns) - 1
        return rows if all(row.count(b"\t") == separators for row in rows) else None

    def _read_with_care(
        self, lines: "_Lines", index: int, complete: bool
    ) -> "_Record | Fault | Literal['blank', 'unfinished']":
        """Read the record that starts at line `index`, as long as it is allowed to be."""
        if fault := lines.faults.get(index):
            return fault
        text = lines.whole(index)
        fields = split_fields(text, self._delimiter)
        last = index
        while fields is None:
            last += 1
            if last == len(lines.text) and not complete and last - index < self._max_lines:
                # A record of the greatest length cannot be closed by what follows.
                if len(lines.raw) - lines.starts[index] <= self._max_bytes:
                    return "unfinished"
                return _UNCLOSED
            if last == len(lines.text) or last - index >= self._max_lines or last in lines.faults:
                return _UNCLOSED
            if lines.starts[last] + len(lines.raw_lines[last]) - lines.starts[index] > self._max_bytes:
                return _UNCLOSED
            following = lines.whole(last)
            text += lines.line_end(last - 1) + following
            if b'"' in following:
                fields = split_fields(text, self._delimiter)
        if isinstance(fields, Fault):
            return fields if last == index else _UNCLOSED
        if len(fields) == len(self.columns) and not (len(fields) == 1 and lines.is_blank(index)):
            if self._delimiter == b"\t":
                fields = [value.replace(b"\t", b"\\t") for value in fields]
            return _Record(b"\t".join(fields).replace(b"\r", b"\\r"), last - index + 1)
        if last > index:
            return _UNCLOSED
        if lines.is_blank(index):
            return "blank"
        return Fault(
            "row.ragged",
            f"应有{len(self.columns)}列，实有{len(fields)}列",
            f"expected {len(self.columns)} fields, got {len(fields)}",
        )

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
        )

    def _skip_line(self) -> Block:
        """Read on to the end of a line that is longer than any record, keeping its start and its digest only."""
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
    """A record read with care: its fields as COPY text, and how many physical lines it spans."""

    row: bytes
    lines: int


_UNCLOSED = Fault("row.quote", "引号没有配对", "a quote opens and no following line closes it into a record")


def _too_long(length: int, limit: int) -> Fault:
    return Fault("row.too_long", f"本行{length}字节，上限{limit}字节", f"{length} bytes, the limit is {limit}")


@dataclass
class _Lines:
    """Whole physical lines: `text` is UTF-8 escaped for COPY, without line ends; `escaped` the same in one piece.

    There is no `escaped` where one of them cannot be read the quick way. A line that has a fault or needs care is
    `_SET_ASIDE` in `text`; the first stands in `faults`, the second in `care`.
    """

    raw: bytes
    encoding: str
    delimiter: bytes
    max_bytes: int
    blank_is_record: bool
    escaped: bytes | None = field(init=False, default=None)
    faults: dict[int, Fault] = field(init=False, default_factory=dict)
    care: dict[int, bytes] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        raw = self.raw
        short = len(raw) <= self.max_bytes or max(map(len, self.raw_lines)) <= self.max_bytes
        if short and b"\0" not in raw and not self.blank_is_record:
            try:
                if self.encoding == "utf-8":
                    raw.decode()
                    escaped = self._escape(raw)
                else:
                    escaped = self._escape(raw.decode(self.encoding).encode())
            except UnicodeError:
                pass
            else:
                # Taken apart at the carriage returns in half the time that replacing pairs of bytes takes.
                first, *others = escaped.split(b"\r")
                if all(part.startswith(b"\n") for part in others):
                    self.escaped = b"".join((first, *others))

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
        """Take one line by itself, because something in its block stands in the quick way."""
        fault: Fault | None = None
        text = b""
        if len(raw) > self.max_bytes:
            fault = _too_long(len(raw), self.max_bytes)
        elif (nul := raw.find(b"\0")) >= 0:
            fault = Fault("row.nul", f"第{nul + 1}字节为空字符（NUL）", f"NUL at byte {nul + 1} of the row")
        else:
            try:
                text = self._escape(raw.decode(self.encoding).encode()).rstrip(b"\r")
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
            self.care[index] = text
            return _SET_ASIDE
        return text

    def whole(self, index: int) -> bytes:
        """Return the escaped line, set aside or not."""
        return self.care.get(index, self.text[index])

    def line_end(self, index: int) -> bytes:
        """Return what ends the line in the file, escaped for COPY, to be kept inside a quoted field."""
        raw = self.raw_lines[index]
        return b"\\r" * (len(raw) - len(raw.rstrip(b"\r"))) + b"\\n"

    def is_blank(self, index: int) -> bool:
        """Whether the line has white space only, full-width blanks included."""
        return not self.raw_lines[index].decode(self.encoding).strip()

    @cached_property
    def raw_lines(self) -> list[bytes]:
        """The lines as they came, without the line feed."""
        return _split_lines(self.raw)

    @cached_property
    def starts(self) -> list[int]:
        """Where each line starts in `raw`, and where the next one would."""
        return list(accumulate((len(line) + 1 for line in self.raw_lines), initial=0))


def _split_lines(text: bytes) -> list[bytes]:
    """Split whole lines, of which the last may lack its line feed."""
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
