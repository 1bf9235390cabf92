"""The connector of HTTP interfaces."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, ClassVar

from zhengku.landed.http_answer import Answer, RowsPlace, flattened, read_row
from zhengku.landed.page_file import totals_bytes
from zhengku.readers.reader import Reader
from zhengku.transports.connector import Connector
from zhengku.transports.http.model import HttpApi
from zhengku.transports.http.reader import open_pages
from zhengku.transports.http.source import HttpApiSource
from zhengku.transports.source import Source


class HttpConnector(Connector[HttpApi]):
    """An HTTP interface; `address` is `https://id:secret@host/base`."""

    example_address: ClassVar[str] = "http://id:secret@localhost/"

    def source(self, address: str, slots: int) -> Source:
        """Return the interface."""
        return HttpApiSource(self.feed, self.settings, address, slots)

    def open_reader(self, content: BinaryIO) -> Reader:
        """Open a page file."""
        return open_pages(
            content,
            required_columns=self.feed.required_columns,
            rows=self._rows_place,
            omits_empty=self.settings.response.omits_empty,
        )

    @property
    def _rows_place(self) -> RowsPlace:
        return RowsPlace(self.settings.response.rows, self.settings.response.rows_also)

    def complete_cut_sample(self, path: Path) -> None:
        """End a page file after its last complete page, with the totals that its reader needs first."""
        with path.open("r+b") as content:
            pages = rows = 0
            columns: dict[str, None] = {}
            while True:
                start = content.tell()
                head = content.readline()
                announced = json.loads(head) if head.endswith(b"\n") else {}
                body = content.read(announced.get("bytes", 0))
                if not body or content.read(1) != b"\n":
                    break
                pages += 1
                for raw in Answer(body, announced.get("charset", "utf-8"), self._rows_place).rows():
                    rows += 1
                    row = read_row(raw)
                    columns.update(dict.fromkeys(flattened(row) or () if row else ()))
            content.seek(start)
            content.truncate()
            content.write(totals_bytes(pages, rows, list(columns)))

    @staticmethod
    def example_rows(rows: Sequence[Mapping[str, str]], time_column: str) -> list[dict[str, str]]:
        """Return objects with an id."""
        return [{"id": str(number), **row} for number, row in enumerate(rows, start=1)]
