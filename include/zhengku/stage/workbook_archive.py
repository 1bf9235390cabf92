"""What is looked at in a spreadsheet's archive before it is read: whether it can be, and what the library leaves out.

An XLSX file is a ZIP archive of XML (ECMA-376). calamine takes its word for sizes: a sheet with one stray value in its
last cell makes it ask for 400 GB, which ends the process.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Final
from xml.etree import ElementTree
from xml.sax.saxutils import unescape

from zhengku.errors import DeliveryRejected
from zhengku.stage.column_names import shown

LARGEST_UNCOMPRESSED: Final = 1024 * 1024 * 1024
"""Bytes of all parts together. A million rows of 15 columns have about half of it."""

LARGEST_AREA: Final = 40_000_000
"""Cells of the rectangle that a sheet's values span; calamine holds it in memory, some 32 bytes for each."""

_PIECE = 1024 * 1024
_LARGEST_INDEX = 16 * 1024 * 1024

# A cell with something in it: one without ends in "/>". The place is enough, so that the search is quick.
_FULL_CELL = re.compile(rb"""\sr=["']([A-Z]{1,3})[0-9]{1,7}["'][^<>]*(?<!/)>""")
_ROW = re.compile(rb"""<(?:\w+:)?row\s[^<>]*?\br=["']([0-9]{1,7})["']""")
_CELL = re.compile(rb"<(?:\w+:)?c(\s[^<>]*)(?<!/)>(.*?)</(?:\w+:)?c>", re.DOTALL)
_PLACE = re.compile(rb"""\sr=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_IS_ERROR = re.compile(rb"""\st=["']e["']""")
_VALUE = re.compile(rb"<(?:\w+:)?v>([^<]*)<")

_OLE = b"\xd0\xcf\x11\xe0"


@dataclass(frozen=True)
class Inspected:
    """What was found: the name of the sheet to read, and the errors of formulas (`#N/A`) by row and column from 0."""

    sheet: str
    errors: dict[int, dict[int, str]]


def not_workbook(what: str, what_zh: str) -> DeliveryRejected:
    """Return the rejection of a file that is no spreadsheet which can be read."""
    return DeliveryRejected(
        "file.not_workbook",
        f"The file is no readable spreadsheet: {what}; expected XLSX. Save it as XLSX without a password.",
        f"文件不是可读取的XLSX电子表格：{what_zh}。请另存为不加密的XLSX后重新报送。",
    )


def inspect(content: BinaryIO, sheet: str | None) -> Inspected:
    """Read a spreadsheet's archive through once, and leave `content` at its begin.

    `sheet` is the sheet's name, None the first that is not hidden. Raises `DeliveryRejected` (`file.empty`,
    `file.not_workbook`, `file.sheet`): not a ZIP archive, encrypted, damaged (every part's CRC is checked), too large
    when unpacked, no workbook in it, no such sheet, or a sheet whose values span too large an area.
    """
    start = content.read(8)
    if not start:
        raise DeliveryRejected(
            "file.empty",
            "The file is empty (0 bytes); expected a spreadsheet. Deliver it again.",
            "文件是空的。请核对后重新报送。",
        )
    if start.startswith(_OLE):
        raise not_workbook("it is encrypted or an old Excel workbook (XLS)", "文件已加密，或是旧版Excel（XLS）工作簿")
    if not start.startswith(b"PK"):
        raise not_workbook("it is no ZIP archive of XML parts", "不是XLSX文件")
    content.seek(0)
    try:
        with zipfile.ZipFile(content) as archive:
            name, part = _sheet_part(archive, sheet)
            errors: dict[int, dict[int, str]] = {}
            unpacked = 0
            for info in archive.infolist():
                scan = _Scan(errors) if info.filename == part else None
                for piece in _pieces(archive, info):
                    unpacked += len(piece)
                    if unpacked > LARGEST_UNCOMPRESSED:
                        raise not_workbook(
                            f"unpacked it has more than {LARGEST_UNCOMPRESSED} bytes",
                            f"解压后超过{LARGEST_UNCOMPRESSED // 1024**3}GB",
                        )
                    if scan:
                        scan.add(piece)
                if scan:
                    scan.finish()
    # All that zipfile and the XML parser raise for content that is not what it claims to be.
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        ValueError,
        LookupError,
        OSError,
        OverflowError,
        ElementTree.ParseError,
    ) as error:
        raise not_workbook(f"it is damaged or incomplete ({type(error).__name__})", "文件已损坏或不完整") from error
    content.seek(0)
    return Inspected(name, errors)


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as part:
        while piece := part.read(_PIECE):
            yield piece


def _index(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """Read one of the small parts that say where the others are."""
    with archive.open(name) as part:
        text = part.read(_LARGEST_INDEX)
    return ElementTree.fromstring(text)


def _sheet_part(archive: zipfile.ZipFile, wanted: str | None) -> tuple[str, str]:
    """Return name and part of the sheet to read."""
    targets = {
        relation.get("Id"): relation.get("Target", "")
        for relation in _index(archive, "xl/_rels/workbook.xml.rels").iterfind("{*}Relationship")
        if relation.get("Type", "").endswith("/worksheet")
    }
    sheets: dict[str, tuple[str, bool]] = {}
    for element in _index(archive, "xl/workbook.xml").iterfind("{*}sheets/{*}sheet"):
        [identity] = [value for name, value in element.attrib.items() if name.endswith("}id")]
        if identity in targets:
            target = targets[identity]
            part = target.lstrip("/") if target.startswith("/") else f"xl/{target}"
            sheets[element.get("name", "")] = (part, element.get("state", "visible") == "visible")
    if not sheets:
        raise not_workbook("it has no sheet of cells", "没有工作表")
    if wanted is None:
        name = next((name for name, (_, visible) in sheets.items() if visible), next(iter(sheets)))
    elif wanted in sheets:
        name = wanted
    else:
        raise _missing_sheet(wanted, list(sheets))
    return name, sheets[name][0]


def _missing_sheet(wanted: str, there: Sequence[str]) -> DeliveryRejected:
    return DeliveryRejected(
        "file.sheet",
        f"Expected a sheet {wanted}; the spreadsheet has {shown(there)}. Rename the sheet, or change sheet in the "
        "feed's format.",
        f"缺少工作表“{wanted}”；实有：{shown(there, '、')}。请更正工作表名称后重新报送。",
    )


class _Scan:
    """Reads the XML of one sheet in passing; `errors` gets the errors of its formulas."""

    def __init__(self, errors: dict[int, dict[int, str]]) -> None:
        self._errors = errors
        self._rest = b""
        self._columns: set[bytes] = set()
        self._rows = 0

    def add(self, piece: bytes) -> None:
        """Take the next piece, up to the end of its last whole row."""
        text = self._rest + piece
        end = text.rfind(b"row>") + 4
        if end < 4:
            self._rest = text
            return
        self._rest = text[end:]
        self._read(text[:end])

    def finish(self) -> None:
        """Take what is left, and raise `DeliveryRejected` when the sheet is too large to be read."""
        self._read(self._rest)
        area = self._rows * max(map(_column_number, self._columns), default=0)
        if area > LARGEST_AREA:
            raise not_workbook(
                f"its values span {self._rows} rows up to column {max(map(_column_number, self._columns))}, "
                f"more than {LARGEST_AREA} cells; look for a stray value far from the table",
                f"数据区域过大（{self._rows}行），可能在表格之外很远处有多余内容，请删除",
            )

    def _read(self, text: bytes) -> None:
        columns = set(_FULL_CELL.findall(text))
        self._columns |= columns
        if columns and (rows := _ROW.findall(text)):
            self._rows = max(self._rows, *map(int, rows))
        if b't="e"' in text or b"t='e'" in text:
            self._take_errors(text)

    def _take_errors(self, text: bytes) -> None:
        for cell in _CELL.finditer(text):
            attributes, inner = cell.groups()
            place, value = _PLACE.search(attributes), _VALUE.search(inner)
            if place and value and _IS_ERROR.search(attributes):
                row, column = int(place[2]) - 1, _column_number(place[1]) - 1
                self._errors.setdefault(row, {})[column] = unescape(value[1].decode("utf-8", "replace"))


def _column_number(letters: bytes) -> int:
    """Return the number of a column: A is 1."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
