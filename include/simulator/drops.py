"""The files that departments put into a drop: CSV in three encodings, spreadsheets, and their manifests."""

import csv
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.styles import Alignment
from openpyxl.utils import get_column_letter

from simulator.model import FilePlace, Raw, SourceRow, SourceSystem, Value
from simulator.text_habits import footers, written

SUFFIXES: Final = {"csv_utf8": ".csv", "csv_bom": ".csv", "csv_gb18030": ".csv", "xlsx": ".xlsx"}
MANIFEST_SUFFIX: Final = ".manifest.json"

STRAYS: Final = (
    "往年/名册.csv",
    "名册.txt",
    "19900000017_420704199001010014.txt",
    "~$名册.xlsx",
    ".名册.csv",
)
"""Files that must not be collected; the first three must be reported."""

STRAY_LINK: Final = "名册快捷方式.csv"
STRAY_PIPE: Final = "名册管道.csv"
"""A link to a collected file, and a pipe that nobody writes to; both must be reported, and neither opened."""

_ENCODINGS: Final = {"csv_utf8": "utf-8", "csv_bom": "utf-8-sig", "csv_gb18030": "gb18030"}
_TITLES: Final = ("鄂州市虚构数据登记表", "填报单位：（盖章）", "数据为虚构，仅供演练")


def write_file(
    folder: Path, system: SourceSystem, rows: Iterable[SourceRow], name: str, *, finished_seconds_ago: float = 60
) -> Path:
    """Write a file of `rows` into the system's folder below `folder`, as a correct department does.

    It is written under another name and renamed when it is complete; the manifest follows. `name` has no suffix, or the
    one of its form. Both files have a time `finished_seconds_ago`, since a collector ignores files that have just been
    changed. Raises `TypeError` for a system that drops no files, `ValueError` for a name with another suffix.
    """
    place = system.place
    if not isinstance(place, FilePlace):
        raise TypeError(f"{system.name}: expected a system that drops files, got {type(place).__name__}.")
    suffix = SUFFIXES[place.form]
    if Path(name).suffix not in ("", suffix):
        raise ValueError(f"{system.name}: expected a file name that ends in {suffix}, got {name}.")
    path = folder / place.folder / (name if name.endswith(suffix) else name + suffix)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = _part(path)
    table = ([row.values.get(column) for column in system.column_names] for row in rows)
    if place.form == "xlsx":
        below = footers([column.name for column in system.columns]) if "footers" in place.habits else []
        count = _write_spreadsheet(
            part, system.column_names, table, place.titles, place.sheets, cover=place.cover, below=below
        )
    elif place.habits:
        texts = ([_text(value) for value in row] for row in table)
        sources = [column.source for column in system.columns]
        marked = sources.index("certificate_number") if "certificate_number" in sources else None
        # The byte order marks are among the habits.
        encoding = _ENCODINGS[place.form].removesuffix("-sig")
        content, count = written(system.column_names, texts, encoding, place.habits, marked)
        part.write_bytes(content)
    else:
        count = _write_csv(part, system.column_names, table, _ENCODINGS[place.form])
    _finish(part, path, finished_seconds_ago)
    if place.manifest:
        _write_manifest(path, count, finished_seconds_ago)
    if "strays" in place.habits:
        for stray in STRAYS:
            (path.parent / stray).parent.mkdir(exist_ok=True)
            (path.parent / stray).write_bytes(path.read_bytes())
        for special in (STRAY_LINK, STRAY_PIPE):
            (path.parent / special).unlink(missing_ok=True)
        (path.parent / STRAY_LINK).symlink_to(path.name)
        os.mkfifo(path.parent / STRAY_PIPE)
    return path


def break_off(path: Path, *, finished_seconds_ago: float = 120) -> Path:
    """Write the first half of `path` next to it, as an interrupted upload leaves it; return its path."""
    first = path.with_name(f"{path.stem}_未传完{path.suffix}")
    content = path.read_bytes()
    _part(first).write_bytes(content[: len(content) // 2])
    _finish(_part(first), first, finished_seconds_ago)
    return first


def send_again(path: Path, name: str, *, finished_seconds_ago: float = 60) -> Path:
    """Copy `path` and its manifest under another name: a file that is sent twice."""
    second = path.with_name(name)
    for original, copy in (
        (path, second),
        (path.with_name(path.name + MANIFEST_SUFFIX), second.with_name(second.name + MANIFEST_SUFFIX)),
    ):
        if original.exists():
            shutil.copyfile(original, _part(copy))
            _finish(_part(copy), copy, finished_seconds_ago)
    return second


def _part(path: Path) -> Path:
    return path.with_name(f".{path.name}.part")


def _finish(part: Path, path: Path, seconds_ago: float) -> None:
    moment = time.time() - seconds_ago
    os.utime(part, (moment, moment))
    part.replace(path)


def _write_manifest(path: Path, rows: int, seconds_ago: float) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    manifest = path.with_name(path.name + MANIFEST_SUFFIX)
    part = _part(manifest)
    part.write_text(json.dumps({"file": path.name, "rows": rows, "sha256": digest}, ensure_ascii=False), "utf-8")
    _finish(part, manifest, seconds_ago)


def _text(value: Value) -> str:
    if value is None:
        return ""
    if isinstance(value, Raw):
        return value
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else str(value)


def _write_csv(path: Path, columns: Sequence[str], rows: Iterable[Sequence[Value]], encoding: str) -> int:
    count = 0
    # The csv module writes line ends itself, and does not change those inside values.
    with path.open("w", encoding=encoding, newline="") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for row in rows:
            writer.writerow([_text(value) for value in row])
            count += 1
    return count


def _write_spreadsheet(
    path: Path,
    columns: Sequence[str],
    rows: Iterable[Sequence[Value]],
    titles: int,
    sheets: int = 1,
    *,
    cover: bool = False,
    below: Sequence[Sequence[str]] = (),
) -> int:
    workbook = Workbook(write_only=True)
    if cover:
        words: Any = workbook.create_sheet("填报说明")
        for title in _TITLES:
            words.append([title])
    everything = list(rows)
    share = -(-len(everything) // sheets)
    for number in range(sheets):
        name = "数据" if sheets == 1 else f"数据{number + 1}"
        part = everything[number * share : (number + 1) * share]
        # Sums and signatures are below the last sheet.
        ends = below if number == sheets - 1 else ()
        _fill_sheet(workbook.create_sheet(name), columns, part, titles, ends)
    if cover:
        codes: Any = workbook.create_sheet("字典")
        codes.append(["代码", "含义"])
        codes.append(["1", "有效"])
        codes.sheet_state = "hidden"
    workbook.save(path)
    return len(everything)


def _fill_sheet(
    sheet: Any, columns: Sequence[str], rows: Iterable[Sequence[Value]], titles: int, below: Sequence[Sequence[str]]
) -> None:
    last = get_column_letter(len(columns))

    def centred(text: str | None) -> Any:
        cell = WriteOnlyCell(sheet, text)
        cell.alignment = Alignment(horizontal="center", vertical="center")
        return cell

    for number in range(titles):
        sheet.append([centred(_TITLES[number % len(_TITLES)])])
        if len(columns) > 1:
            sheet.merged_cells.add(f"A{number + 1}:{last}{number + 1}")
    upper = [name.partition("/")[0] for name in columns]
    lower = [name.partition("/")[2] or None for name in columns]
    top = titles + 1
    if any(lower):
        _merge_header(sheet, columns, top)
        # Of merged cells only the first one has a text.
        shown = [
            name if index == 0 or not lower[index] or upper[index - 1] != name else None
            for index, name in enumerate(upper)
        ]
        sheet.append([centred(name) for name in shown])
        sheet.append([centred(name) for name in lower])
    else:
        sheet.append([centred(name) for name in columns])
    for row in rows:
        sheet.append([_cell(sheet, value) for value in row])
    for footer in below:
        sheet.append(list(footer))


def _cell(sheet: Any, value: Value) -> Any:
    """Return a value as clerks enter it: a code that starts with zeros is a number whose format shows them."""
    if not isinstance(value, str) or not re.fullmatch(r"0[0-9]{1,14}", value):
        return value
    cell = WriteOnlyCell(sheet, int(value))
    cell.number_format = "0" * len(value)
    return cell


def _merge_header(sheet: Any, columns: Sequence[str], top: int) -> None:
    index = 0
    for (_, has_parts), members in groupby(name.partition("/")[:2] for name in columns):
        width = len(list(members))
        first, last = get_column_letter(index + 1), get_column_letter(index + width)
        if has_parts and width > 1:
            sheet.merged_cells.add(f"{first}{top}:{last}{top}")
        elif not has_parts:
            sheet.merged_cells.add(f"{first}{top}:{first}{top + 1}")
        index += width
