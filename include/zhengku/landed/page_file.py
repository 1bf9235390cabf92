"""The landed form of an interface's pages: every page as received, and a last line that marks a complete file.

Each page is a line of JSON (`page` counted from 1, `bytes`, and `charset` where it is not UTF-8), so many bytes of
body, and a line feed. The last line holds `pages`, `rows` and `columns`: the rows' keys, those of nested objects joined
by dots, in the order of their first appearance. It also holds the `remarks` of the reading, if there are any. Nothing
else is written: the same pages give the same bytes.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import BinaryIO, Final

from zhengku.errors import DeliveryRejected

LARGEST_BODY: Final = 64 * 1024 * 1024
"""Bytes of the largest page: pages are held in memory."""

_LARGEST_HEAD: Final = 1024
_LARGEST_TOTALS: Final = 16 * 1024 * 1024
_TAIL: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Page:
    """One page; `offset` is where its body starts in the file, `charset` the name of a Python codec."""

    number: int
    offset: int
    charset: str
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Remarks:
    """What a reading found out about its source that the landed pages do not show.

    `doubled` is the number of row ids that more than one row has. `ended_by_repeating`: the source answered its last
    page again, and that was taken for the end. `without_cursor`: the first page was full and named no cursor, not even
    an empty one.
    """

    doubled: int = 0
    ended_by_repeating: bool = False
    without_cursor: bool = False


@dataclass(frozen=True, slots=True)
class Totals:
    """The content of the last line; `offset` is where it starts in the file."""

    pages: int
    rows: int
    columns: tuple[str, ...]
    offset: int
    remarks: Remarks


_NO_REMARKS: Final = Remarks()


def page_bytes(number: int, body: bytes, charset: str) -> bytes:
    """Return one page, counted from 1, as the file has it."""
    head: dict[str, object] = {"page": number, "bytes": len(body)}
    if charset != "utf-8":
        head["charset"] = charset
    return json.dumps(head).encode() + b"\n" + body + b"\n"


def totals_bytes(pages: int, rows: int, columns: Sequence[str], remarks: Remarks = _NO_REMARKS) -> bytes:
    """Return the last line."""
    values: dict[str, object] = {"pages": pages, "rows": rows, "columns": list(columns)}
    if remarks != _NO_REMARKS:
        values["remarks"] = asdict(remarks)
    return json.dumps(values).encode() + b"\n"


def read_totals(content: BinaryIO) -> Totals:
    """Read the last line of a page file that can seek. Raises `DeliveryRejected` (`file.incomplete`) if it has none."""
    size = content.seek(0, 2)
    length = min(size, _TAIL)
    while True:
        content.seek(size - length)
        tail = _read_exactly(content, length)
        start = tail.rfind(b"\n", 0, -1) + 1
        if start or length == size or length >= _LARGEST_TOTALS:
            break
        length = min(size, length * 8)
    line = tail[start:]
    if not line.endswith(b"\n"):
        raise _incomplete("it ends without its last line")
    values = _object(line, "its last line")
    pages, rows, columns = values.get("pages"), values.get("rows"), values.get("columns")
    if not (
        isinstance(pages, int)
        and isinstance(rows, int)
        and isinstance(columns, list)
        and all(isinstance(name, str) for name in columns)
    ):
        raise _incomplete("its last line does not hold pages, rows and columns")
    remarks = values.get("remarks", {})
    if not isinstance(remarks, dict):
        raise _incomplete("its last line has remarks that cannot be read")
    doubled = remarks.get("doubled", 0)
    flags = [remarks.get(name, False) for name in ("ended_by_repeating", "without_cursor")]
    if not (isinstance(doubled, int) and all(isinstance(value, bool) for value in flags)):
        raise _incomplete("its last line has remarks that cannot be read")
    return Totals(pages, rows, tuple(columns), size - len(line), Remarks(doubled, *flags))


def read_pages(content: BinaryIO, totals: Totals) -> Iterator[Page]:
    """Read the pages one by one. Raises `DeliveryRejected` (`file.incomplete`) where they are not as written."""
    content.seek(0)
    offset = 0
    for number in range(1, totals.pages + 1):
        head = content.readline(_LARGEST_HEAD)
        values = _object(head, f"the line before page {number}")
        length, charset = values.get("bytes"), values.get("charset", "utf-8")
        if values.get("page") != number or not isinstance(length, int) or charset not in ("utf-8", "gb18030"):
            raise _incomplete(f"the line before page {number} does not announce that page")
        offset += len(head)
        if not 0 <= length <= min(LARGEST_BODY, totals.offset - offset - 1):
            raise _incomplete(f"page {number} is announced with {length} bytes, and they are not there")
        body = _read_exactly(content, length)
        if content.read(1) != b"\n":
            raise _incomplete(f"page {number} does not end where it should")
        yield Page(number, offset, charset, body)
        offset += length + 1
    if offset != totals.offset:
        raise _incomplete(f"{totals.offset - offset} bytes follow its {totals.pages} pages")


def _read_exactly(content: BinaryIO, length: int) -> bytes:
    pieces: list[bytes] = []
    missing = length
    while missing:
        piece = content.read(missing)
        if not piece:
            raise _incomplete(f"it ends {missing} bytes too early")
        pieces.append(piece)
        missing -= len(piece)
    return b"".join(pieces)


def _object(line: bytes, what: str) -> dict[str, object]:
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise _incomplete(f"{what} cannot be read")
    return values


def _incomplete(what: str) -> DeliveryRejected:
    return DeliveryRejected(
        "file.incomplete",
        f"The landed pages are cut or damaged: {what}. Collect the feed again.",
        "落地的接口数据不完整或已损坏，请重新采集。",
    )
