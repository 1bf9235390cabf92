"""Inspects a spreadsheet's archive before it is read: whether it can be read, and what the library leaves out.

An XLSX file is a ZIP archive of XML (ECMA-376). calamine trusts the sizes in it: for a sheet with one stray value in
its last cell it allocates 400 GB, which ends the process. It returns nothing for the error of a formula, nothing for a
formula that nobody calculated, and for a number neither its format nor more than 17 digits.

Every search takes time in proportion to the bytes: no expression here starts again within a tag that it has passed.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO, Final
from xml.etree import ElementTree
from xml.sax.saxutils import unescape

from zhengku.errors import DeliveryRejected
from zhengku.readers.column_names import shown
from zhengku.readers.workbook_numbers import KEPT_DIGITS, WholeNumberFormat, long_number, whole_number_format

LARGEST_UNCOMPRESSED: Final = 1024 * 1024 * 1024
"""Bytes of all parts together. A million rows of 15 columns have about half of it."""

LARGEST_AREA: Final = 40_000_000
"""Cells of the rectangle that a sheet's values span; calamine holds it in memory, some 32 bytes for each."""

LARGEST_ROW: Final = 64 * 1024 * 1024
"""Bytes of XML from one row's end to the next."""

_PIECE = 1024 * 1024
_LARGEST_INDEX = 16 * 1024 * 1024
_LONGEST_NUMBER = 64

# A cell with content: one without ends in "/>", or has nothing or an empty value inside (openpyxl with lxml writes so).
# Only its place is captured, so that the search is quick.
_FULL_CELL = re.compile(
    rb"""<(?:\w+:)?c(?=\s)(?>[^<>]*?\sr=["'])([A-Z]{1,3})[0-9]{1,7}["'][^<>]*+(?<!/)>"""
    rb"""(?!\s*+(?:<(?:\w+:)?v\s*+(?:/>|></(?:\w+:)?v\s*+>)\s*+)?</(?:\w+:)?c\s*+>)""",
)
_ROW = re.compile(rb"""<(?:\w+:)?row\s[^<>]*?\br=["']([0-9]{1,7})["']""")
_ROW_END = re.compile(rb"</(?:\w+:)?row\s*>")
# The start of a row, or a cell with its formula and its value; the group of a missing part is None.
_ROW_OR_CELL = re.compile(
    rb"<(?:\w+:)?(?:row((?:\s[^<>]*)?)/?>"
    rb"|c((?:\s[^<>]*)?)>\s*+(<(?:\w+:)?f(?:\s[^<>]*)?(?:/>|>[^<]*</(?:\w+:)?f\s*>))?\s*+"
    rb"(?:(<(?:\w+:)?v(?:\s[^<>]*)?/?>)([^<]*))?)"
)
_PLACELESS_CELL = re.compile(rb"""<(?:\w+:)?c(?:\s(?![^<>]*\br=["'])[^<>]*|)>""")
_PLACE = re.compile(rb"""\sr=["']([A-Z]{1,3})([0-9]{1,7})["']""")
_ROW_PLACE = re.compile(rb"""\sr=["']([0-9]{1,7})["']""")
_KIND = re.compile(rb"""\st=["'](\w+)["']""")
_STYLE = re.compile(rb"""\ss=["']([0-9]{1,6})["']""")
_LONG = re.compile(rb"v>\s*+-?+[0-9]{%d}" % (KEPT_DIGITS + 1))
_NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]*)?(?:[eE][-+]?[0-9]{1,4})?")
_CLAIM = re.compile(rb"""\s(?:count|uniqueCount)=["']([0-9]+)["']""")

_OLE = b"\xd0\xcf\x11\xe0"
_FOREIGN: Final[tuple[tuple[bytes, str, str], ...]] = (
    (b"%PDF", "a PDF document", "文件其实是PDF文档"),
    (b"Rar!", "a RAR archive", "文件其实是RAR压缩包"),
    (b"7z\xbc\xaf", "a 7z archive", "文件其实是7z压缩包"),
    (b"\x1f\x8b", "a gzip archive", "文件其实是gzip压缩包"),
    (b"\x89PNG", "a picture", "文件其实是图片"),
    (b"\xff\xd8\xff", "a picture", "文件其实是图片"),
    (b"{\\rtf", "an RTF document", "文件其实是RTF文档"),
)
_FOREIGN_PARTS: Final[tuple[tuple[str, str, str], ...]] = (
    ("xl/workbook.bin", "a binary workbook (XLSB)", "文件其实是二进制工作簿（XLSB）"),
    ("word/document.xml", "a Word document", "文件其实是Word文档"),
    ("ppt/presentation.xml", "a presentation", "文件其实是演示文稿"),
    ("content.xml", "an OpenDocument file (ODS)", "文件其实是ODS等OpenDocument文档"),
)
# The name of the stream that holds an encrypted workbook, as OLE writes names.
_ENCRYPTED = "EncryptedPackage".encode("utf-16-le")


@dataclass
class SheetPart:
    """A sheet of cells, with what calamine does not read from its XML. Rows and columns count from 0.

    `texts` are the texts of cells, by row and column, that calamine gives otherwise: errors of formulas (`#N/A`),
    numbers as their format shows them, numbers of more than 15 digits. `uncalculated` are the columns, by row, of cells
    whose formula has no value. `rows` is how far down values reach, `width` how far to the right.
    """

    name: str
    part: str
    is_visible: bool
    texts: dict[int, dict[int, str]] = field(default_factory=dict)
    uncalculated: dict[int, set[int]] = field(default_factory=dict)
    rows: int = 0
    width: int = 0

    def check_area(self) -> None:
        """Raise `DeliveryRejected` when the sheet is too large to be read."""
        if self.rows * self.width > LARGEST_AREA:
            raise not_workbook(
                f"the values of sheet {shown([self.name])} span {self.rows} rows up to column {self.width}, more than "
                f"{LARGEST_AREA} cells; look for a stray value far from the table",
                f"工作表“{shown([self.name])}”数据区域过大（{self.rows}行），可能在表格之外很远处有多余内容，请删除",
            )


def not_workbook(what: str, what_zh: str) -> DeliveryRejected:
    """Return the rejection of a file that is no readable spreadsheet."""
    return DeliveryRejected(
        "file.not_workbook",
        f"The file is no readable spreadsheet: {what}; expected XLSX. Save it as XLSX without a password.",
        f"文件不是可读取的XLSX电子表格：{what_zh}。请另存为不加密的XLSX后重新报送。",
    )


def inspect(content: BinaryIO) -> list[SheetPart]:
    """Read a spreadsheet's archive once, leave `content` at its start, and return its sheets of cells.

    Raises `DeliveryRejected` (`file.empty`, `file.not_workbook`): not a ZIP archive, encrypted, damaged (every part's
    CRC is checked), too large when unpacked, no workbook in it, or parts that claim what they do not hold.
    """
    _expect_archive(content)
    try:
        with zipfile.ZipFile(content) as archive:
            sheets, strings = _parts(archive)
            formats = _formats(archive)
            by_part = {sheet.part: sheet for sheet in sheets}
            unpacked = 0
            for info in archive.infolist():
                sheet = by_part.get(info.filename)
                scan = _Scan(sheet, formats) if sheet else None
                size, start = 0, b""
                for piece in _pieces(archive, info):
                    size += len(piece)
                    start = start or piece
                    if unpacked + size > LARGEST_UNCOMPRESSED:
                        raise not_workbook(
                            f"unpacked it has more than {LARGEST_UNCOMPRESSED} bytes",
                            f"解压后超过{LARGEST_UNCOMPRESSED // 1024**3}GB",
                        )
                    if scan:
                        scan.add(piece)
                unpacked += size
                if scan:
                    scan.finish()
                if info.filename == strings:
                    _check_claims(start, size)
    # All errors that zipfile and the XML parser raise for damaged content.
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
    return sheets


def _expect_archive(content: BinaryIO) -> None:
    """Raise `DeliveryRejected` for a file that does not even start like XLSX, and say what it is instead."""
    start = content.read(512)
    if not start:
        raise DeliveryRejected(
            "file.empty",
            "The file is empty (0 bytes); expected a spreadsheet. Deliver it again.",
            "文件是空的。请核对后重新报送。",
        )
    if start.startswith(_OLE):
        if _holds(content, _ENCRYPTED):
            raise not_workbook("it is encrypted, a password opens it", "文件已加密，须输入密码才能打开")
        raise not_workbook("it is an old Excel workbook (XLS) or encrypted", "文件是旧版Excel（XLS）工作簿，或已加密")
    for mark, what, what_zh in _FOREIGN:
        if start.startswith(mark):
            raise not_workbook(f"it is {what}", what_zh)
    if start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise not_workbook("it is a web page or XML (HTML saved as a workbook)", "文件其实是网页（HTML）或XML文本")
    if not start.startswith(b"PK"):
        raise not_workbook("it is no ZIP archive of XML parts", "不是XLSX文件")
    size = content.seek(0, 2)
    content.seek(0)
    if size < _SMALLEST_ARCHIVE:
        raise not_workbook(f"it has {size} bytes, the upload broke off", f"文件只有{size}字节，上传中断")


_SMALLEST_ARCHIVE = 22


def _holds(content: BinaryIO, searched: bytes) -> bool:
    content.seek(0)
    rest = b""
    while piece := content.read(_PIECE):
        if searched in rest + piece:
            return True
        rest = piece[-len(searched) :]
    return False


def _pieces(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[bytes]:
    with archive.open(info) as part:
        while piece := part.read(_PIECE):
            yield piece


def _index(archive: zipfile.ZipFile, name: str) -> ElementTree.Element:
    """Read one of the small parts that name the others."""
    with archive.open(name) as part:
        text = part.read(_LARGEST_INDEX)
    return ElementTree.fromstring(text)


def _targets(archive: zipfile.ZipFile, kind: str) -> dict[str | None, str]:
    """Return the parts of a workbook that its relations of a kind name, by the relation's id."""
    return {
        relation.get("Id"): target.lstrip("/") if target.startswith("/") else f"xl/{target}"
        for relation in _index(archive, "xl/_rels/workbook.xml.rels").iterfind("{*}Relationship")
        if relation.get("Type", "").endswith(kind) and (target := relation.get("Target", ""))
    }


def _parts(archive: zipfile.ZipFile) -> tuple[list[SheetPart], str | None]:
    """Return the sheets of cells, in their order, and the part of the texts that they share."""
    names = set(archive.namelist())
    if not names:
        raise not_workbook("it is an empty ZIP archive", "文件是空的压缩包")
    if "xl/workbook.xml" not in names:
        for part, what, what_zh in _FOREIGN_PARTS:
            if part in names:
                raise not_workbook(f"it is {what}", what_zh)
        raise not_workbook("it is a ZIP archive without a workbook", "文件是压缩包，其中没有工作簿")
    targets = _targets(archive, "/worksheet")
    sheets: list[SheetPart] = []
    for element in _index(archive, "xl/workbook.xml").iterfind("{*}sheets/{*}sheet"):
        [identity] = [value for name, value in element.attrib.items() if name.endswith("}id")]
        if identity in targets:
            is_visible = element.get("state", "visible") == "visible"
            sheets.append(SheetPart(element.get("name", ""), targets[identity], is_visible))
    if not sheets:
        raise not_workbook("it has no sheet of cells", "没有工作表")
    return sheets, next(iter(_targets(archive, "/sharedStrings").values()), None)


def _formats(archive: zipfile.ZipFile) -> dict[bytes, WholeNumberFormat]:
    """Return how whole numbers are written, by the number of a cell's style, where its format adds something."""
    part = next(iter(_targets(archive, "/styles").values()), None)
    if part is None or part not in archive.namelist():
        return {}
    styles = _index(archive, part)
    codes = {
        element.get("numFmtId"): whole_number_format(element.get("formatCode", ""))
        for element in styles.iterfind("{*}numFmts/{*}numFmt")
    }
    return {
        b"%d" % style: written
        for style, element in enumerate(styles.iterfind("{*}cellXfs/{*}xf"))
        if (written := codes.get(element.get("numFmtId"))) is not None
    }


def _check_claims(text: bytes, size: int) -> None:
    """Raise `DeliveryRejected` when more shared texts are declared than there are bytes: calamine allocates them."""
    start = text.find(b"sst")
    claims = [int(claim) for claim in _CLAIM.findall(text[start : text.find(b">", start)])] if start >= 0 else []
    if max(claims, default=0) > size:
        raise not_workbook(
            f"its shared texts claim to be {max(claims)} and have {size} bytes",
            "文件声称的内容与实际不符，已损坏或被改动",
        )


class _Scan:
    """Searches the XML of one sheet piece by piece, and adds to `sheet` what calamine leaves out."""

    def __init__(self, sheet: SheetPart, formats: Mapping[bytes, WholeNumberFormat]) -> None:
        self._sheet = sheet
        self._formats = formats
        self._styled = re.compile(rb"""\ss=["'](?:%b)["']""" % b"|".join(formats)) if formats else None
        self._waiting: list[bytes] = []
        self._waiting_bytes = 0
        self._columns: set[bytes] = set()
        self._row = -1
        self._column = -1
        self._is_placeless = False

    def add(self, piece: bytes) -> None:
        """Search the next piece, up to the end of its last complete row."""
        # A row's end may be spread over two pieces.
        tail = self._waiting[-1][-_PREFIXED_END:] if self._waiting else b""
        end = 0
        for found in _ROW_END.finditer(tail + piece):
            end = found.end() - len(tail)
        if end <= 0:
            self._waiting.append(piece)
            self._waiting_bytes += len(piece)
            if self._waiting_bytes > LARGEST_ROW:
                raise not_workbook(
                    f"a row of sheet {shown([self._sheet.name])} has more than {LARGEST_ROW} bytes",
                    f"工作表“{shown([self._sheet.name])}”有异常庞大的行，文件已损坏",
                )
            return
        self._read(b"".join([*self._waiting, piece[:end]]))
        self._waiting = [piece[end:]]
        self._waiting_bytes = len(piece) - end

    def finish(self) -> None:
        """Search the rest."""
        self._read(b"".join(self._waiting))
        self._sheet.width = max(self._sheet.width, *map(_column_number, self._columns), 0)

    def _read(self, text: bytes) -> None:
        columns = set(_FULL_CELL.findall(text))
        self._columns |= columns
        if columns and (rows := _ROW.findall(text)):
            self._sheet.rows = max(self._sheet.rows, *map(int, rows))
        # A program that leaves out the places of cells does so everywhere: then all cells are counted.
        self._is_placeless = self._is_placeless or _PLACELESS_CELL.search(text) is not None
        if (
            self._is_placeless
            or b't="e"' in text
            or b"t='e'" in text
            or b"f>" in text
            or b"<f" in text
            or (self._styled and self._styled.search(text))
            or _LONG.search(text)
        ):
            self._take_cells(text)

    def _take_cells(self, text: bytes) -> None:
        for found in _ROW_OR_CELL.finditer(text):
            row_attributes, attributes, formula, value_tag, value = found.groups()
            if attributes is None:
                place = _ROW_PLACE.search(row_attributes)
                self._row = int(place[1]) - 1 if place else self._row + 1
                self._column = -1
                continue
            if place := _PLACE.search(attributes):
                self._row, self._column = int(place[2]) - 1, _column_number(place[1]) - 1
            else:
                self._column += 1
            if attributes.endswith(b"/"):
                continue
            if self._is_placeless:
                self._sheet.rows = max(self._sheet.rows, self._row + 1)
                self._sheet.width = max(self._sheet.width, self._column + 1)
            kind = _KIND.search(attributes)
            self._take(attributes, kind[1] if kind else b"n", formula, value_tag, value)

    def _take(
        self, attributes: bytes, kind: bytes, formula: bytes | None, value_tag: bytes | None, value: bytes | None
    ) -> None:
        if formula is not None and not value and (kind != b"str" or value_tag is None):
            # A calculated text may be empty; the cell is then marked as text.
            self._sheet.uncalculated.setdefault(self._row, set()).add(self._column)
        elif value and kind == b"e":
            self._sheet.texts.setdefault(self._row, {})[self._column] = unescape(value.decode("utf-8", "replace"))
        elif value and kind == b"n":
            style = _STYLE.search(attributes)
            written = self._formats.get(style[1]) if style else None
            if written is not None or len(value) > KEPT_DIGITS:
                text = _number_text(value.decode("ascii", "replace").strip(), written)
                if text is not None:
                    self._sheet.texts.setdefault(self._row, {})[self._column] = text


_PREFIXED_END = 80


def _number_text(value: str, written: WholeNumberFormat | None) -> str | None:
    """Return the text of a whole number; None where it is just the number."""
    if len(value) > _LONGEST_NUMBER or not _NUMBER.fullmatch(value):
        return None
    number = float(value)
    if not number.is_integer():
        return None
    if abs(number) >= 10**KEPT_DIGITS:
        return long_number(value)
    return written(int(number)) if written else None


def missing_sheet(expected: str, present: Sequence[str]) -> DeliveryRejected:
    """Return the rejection of a workbook without a sheet that the feed names."""
    return DeliveryRejected(
        "file.sheet",
        f"Expected a sheet {expected}; the spreadsheet has {shown(present)}. Rename the sheet, or change the sheets in "
        "the feed's format.",
        f"缺少工作表“{expected}”；实有：{shown(present, '、')}。请更正工作表名称后重新报送。",
    )


def _column_number(letters: bytes) -> int:
    """Return the number of a column: A is 1."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - 64
    return number
