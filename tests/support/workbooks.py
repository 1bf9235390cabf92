"""Workbooks as departments lay them into a drop, and an installation whose register comes as such."""

import csv
import io
import re
import shutil
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet
from tests.support.installation import HEADER, Installation, license_row

from zhengku.settings import Settings

COLUMNS = [*HEADER.split(","), "事项代码"]

Sheets = dict[str, Sequence[Sequence[object]]]


def feed_of_workbooks(installation: Installation, tmp_path: Path, form: str = "{kind: xlsx}") -> Installation:
    """Let the register come in workbooks of a form; its column 事项代码 is a field of kind code."""
    folder = tmp_path / "catalog"
    shutil.copytree(installation.settings.catalog_folder, folder, dirs_exist_ok=True)
    path = folder / "departments" / "market_supervision.yaml"
    text = path.read_text(encoding="utf-8")
    for old, new in (
        ('pattern: "*.csv"', 'pattern: "*.xlsx"'),
        ('{kind: csv, encodings: [utf-8, gb18030], delimiter: ","}', form),
        (
            "      district: {column: 地区}\n",
            "      district: {column: 地区}\n      service_item_code: {column: 事项代码}\n",
        ),
        ("      - service_item_code\n", ""),
    ):
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    environment = {**installation.settings.environment, "ZHENGKU_CATALOG_DIR": str(folder)}
    installation.settings = Settings(home=installation.settings.home, environment=environment)
    return installation


def cells(number: int, item: object = None, **values: str) -> list[object]:
    """Return a made-up row of the register as cells, below `COLUMNS`."""
    [row] = csv.reader([license_row(number, **values)])
    return [*row, item]


def workbook(sheets: Sheets, change: Callable[[Workbook], object] | None = None) -> bytes:
    """Return a workbook with these sheets, which `change` may change."""
    book = Workbook()
    book.remove(book.worksheets[0])
    for name, rows in sheets.items():
        sheet: Worksheet = book.create_sheet(name)
        for row in rows:
            sheet.append(list(row))
    if change:
        change(book)
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


def in_part(content: bytes, part: str, change: Callable[[bytes], bytes]) -> bytes:
    """Change one part of a workbook, as another program might have written it."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        for info in old.infolist():
            text = old.read(info)
            new.writestr(info.filename, change(text) if info.filename == part else text)
    return out.getvalue()


def in_first_sheet(content: bytes, change: Callable[[bytes], bytes]) -> bytes:
    """Change the XML of the first sheet."""
    return in_part(content, "xl/worksheets/sheet1.xml", change)


def without_places(part: bytes) -> bytes:
    """Leave out the places of rows and cells, as some programs do."""
    return re.sub(rb'(<(?:c|row)\b[^>]*?) r="[A-Z]*[0-9]+"', rb"\1", part)
