"""Sample rows of a department in the whole pipeline: landed as its transport lands them, staged, checked, loaded.

A sample is `tests/departments/<department>/<feed>.json`: `rows` in the department's words, `store` with what must be in
the store (standard fields; `extension` an object; only what is named is compared), and `quarantined`, a count.
"""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
from openpyxl import Workbook
from psycopg.rows import dict_row

from zhengku.catalog import Feed, load_catalog
from zhengku.clock import CITY_TIME_ZONE
from zhengku.landed.http_answer import flattened, storable
from zhengku.landed.landing import LandingArea
from zhengku.landed.page_file import page_bytes, totals_bytes
from zhengku.landed.row_file import first_line, last_line, row_lines
from zhengku.ledger import Batch
from zhengku.pipeline.pipeline import Pipeline
from zhengku.settings import Settings, project_home
from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.file_drop.model import CsvFormat, XlsxFormat
from zhengku.transports.http.model import HttpApi
from zhengku.transports.source import Collected, Delivery, Source, Window

if TYPE_CHECKING:
    from openpyxl.worksheet.worksheet import Worksheet

Row = Mapping[str, Any]

DEPARTMENTS = {
    "tobacco": "file_drop csv",
    "disabled_persons": "file_drop xlsx",
    "transport": "http",
    "housing": "exchange_database",
}
"""One department of each transport, with the form of its files."""


@dataclass(frozen=True)
class Sample:
    """The sample of one feed."""

    department: str
    feed: str
    rows: list[dict[str, Any]]
    store: list[dict[str, Any]]
    quarantined: int

    def title(self) -> str:
        return self.feed


def samples(department: str) -> list[Sample]:
    """Return the samples of a department, by feed; there must be one."""
    files = sorted((project_home() / "tests" / "departments" / department).glob("*.json"))
    assert files, f"no sample tests/departments/{department}/<feed>.json"
    return [read_sample(department, path) for path in files]


def read_sample(department: str, path: Path) -> Sample:
    values = json.loads(path.read_text(encoding="utf-8"))
    return Sample(department, path.stem, values["rows"], values["store"], values["quarantined"])


def landed_bytes(feed: Feed, rows: Sequence[Row]) -> bytes:
    """Return rows as they lie in the landing area, in the form of the feed's transport."""
    transport = feed.transport
    columns = list(dict.fromkeys(name for row in rows for name in row))
    if isinstance(transport, HttpApi):
        flat = [flattened(dict(row)) or {} for row in rows]
        # As the collection notes them: a name that no database takes makes its row a bad one.
        names = [name for name in dict.fromkeys(name for row in flat for name in row) if storable(name)]
        return page_bytes(1, _answer(transport.response.rows, rows), "utf-8") + totals_bytes(1, len(rows), names)
    cells = [[row.get(name) for name in columns] for row in rows]
    if isinstance(transport, ExchangeDatabase):
        return first_line(transport.table, columns) + row_lines(cells, columns) + last_line(len(rows))
    if isinstance(transport.format, CsvFormat):
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=transport.format.delimiter)
        writer.writerows([columns, *([_text(cell) for cell in row] for row in cells)])
        return text.getvalue().encode(transport.format.encodings[0])
    return _workbook(transport.format, columns, cells)


def _answer(place: str, rows: Sequence[Row]) -> bytes:
    answer: Any = [dict(row) for row in rows]
    for key in reversed(place.split(".")):
        answer = {key: answer}
    return json.dumps(answer, ensure_ascii=False).encode()


def _text(cell: object) -> str:
    return "" if cell is None else str(cell)


def _workbook(form: XlsxFormat, columns: Sequence[str], cells: Sequence[Sequence[Any]]) -> bytes:
    """Lay a header with merged cells above the rows: in `持证主体/代码` the first part stands over the second."""
    book = Workbook()
    sheet: Worksheet | None = book.active
    assert sheet is not None
    if form.sheet:
        sheet.title = form.sheet
    for place, name in enumerate(columns, start=1):
        parts = name.split("/", form.header_rows - 1)
        for row, part in enumerate(parts, start=1):
            sheet.cell(row, place, part)
        if len(parts) < form.header_rows:
            sheet.merge_cells(start_row=len(parts), end_row=form.header_rows, start_column=place, end_column=place)
    for values in cells:
        sheet.append(list(values))
    content = io.BytesIO()
    book.save(content)
    return content.getvalue()


class _SampleSource(Source):
    """A source whose one delivery is in memory."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def check(self) -> None:
        """There is no address that could be wrong."""

    def deliveries(self, window: Window) -> Sequence[Delivery]:
        now = datetime.now(tz=CITY_TIME_ZONE)
        return [Delivery("sample", now, len(self.content), window=window)]

    def land(
        self, delivery: Delivery, landing: LandingArea, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> Collected:
        return Collected(landing.put(io.BytesIO(self.content), path, on_bytes=on_bytes))


class DepartmentPipeline:
    """An installation for samples: the real catalogue and suites, an empty store of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.pipeline = Pipeline(settings)

    def feeds(self, department: str) -> list[str]:
        return list(load_catalog(self.settings.catalog_folder).department(department).feeds)

    def load(self, department: str, feed_id: str, rows: Sequence[Row]) -> Batch:
        """Take rows through the whole pipeline and return the closed batch."""
        feed = self.pipeline.catalog.feed(department, feed_id)
        source = _SampleSource(landed_bytes(feed, rows))
        [delivery] = source.deliveries(Window())
        batch = self.pipeline.collector.collect_delivery(
            feed, source, delivery, secrets.token_hex(4), again=False, advance_watermark=False
        )
        return self.pipeline.load(batch.batch_id)

    def stored(self, department: str, feed_id: str) -> list[dict[str, Any]]:
        """Return what is in the store from a feed, dates as ISO text, times in Asia/Shanghai."""
        url = self.settings.database_url.replace("+psycopg", "")
        with psycopg.connect(url, row_factory=dict_row, options="-c timezone=Asia/Shanghai") as connection:
            found = connection.execute(
                "select to_jsonb(certificate) as row from store.certificate where department = %s and feed = %s "
                "and removal is null order by record_key",
                [department, feed_id],
            ).fetchall()
        return [row["row"] for row in found]

    def check(self, sample: Sample) -> None:
        """Load a sample and compare what is in the store, and the count of quarantined rows, with what it says."""
        batch = self.load(sample.department, sample.feed, sample.rows)
        assert batch.status == "loaded", f"{batch.status}: {batch.detail}"
        found = self.stored(sample.department, sample.feed)
        named = {name for row in sample.store for name in row}
        assert _sorted([{name: row[name] for name in named} for row in found]) == _sorted(
            [{name: row.get(name) for name in named} for row in sample.store]
        )
        rules = self.quarantined_for(batch)
        assert (batch.quarantined, batch.unknown_columns) == (sample.quarantined, []), f"quarantined for {rules}"

    def quarantined_for(self, batch: Batch) -> list[str]:
        """Return the rules that rows of a batch were quarantined for."""
        with psycopg.connect(self.settings.database_url.replace("+psycopg", "")) as connection:
            return [
                rule
                for (rule,) in connection.execute(
                    "select distinct unnest(rules) from quarantine.problem_row where last_batch_id = %s order by 1",
                    [batch.batch_id],
                )
            ]


def _sorted(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: json.dumps(row, ensure_ascii=False, sort_keys=True))
