"""The connector of exchange databases."""

from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO, ClassVar

from zhengku.readers.reader import Reader
from zhengku.readers.table_rows import open_table_rows
from zhengku.transports.connector import SAMPLE_BYTES_A_ROW, Connector, SampleSource
from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.exchange_database.source import ExchangeDatabaseSource
from zhengku.transports.source import Source


class ExchangeDatabaseConnector(Connector[ExchangeDatabase]):
    """A table or view of an exchange database; `address` is SQLAlchemy's."""

    example_address: ClassVar[str] = "postgresql://user@localhost/exchange"

    def source(self, address: str, slots: int) -> Source:
        """Return the table."""
        return ExchangeDatabaseSource(self.feed, self.settings, address)

    def open_reader(self, content: BinaryIO) -> Reader:
        """Open the landed rows of a table."""
        return open_table_rows(content, required_columns=self.feed.required_columns)

    def sample_source(self, address: str, slots: int, rows: int) -> SampleSource:
        """Return the table with pages no larger than the sample, and without the columns that hold no text."""
        no_text = ExchangeDatabaseSource(self.feed, self.settings, address).columns_without_text()
        smaller = self.settings.model_copy(update={"page_rows": min(self.settings.page_rows, max(100, rows))})
        source = ExchangeDatabaseSource(self.feed, smaller, address, all_but=[name for name, _ in no_text])
        return SampleSource(source, rows * SAMPLE_BYTES_A_ROW, no_text)

    def write_returned(
        self, address: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], replaced: Mapping[str, Any]
    ) -> None:
        """Write to the feed's table of returns, in one transaction."""
        return_settings = self.settings.model_copy(update={"table": self.settings.return_table})
        ExchangeDatabaseSource(self.feed, return_settings, address).replace_rows(columns, rows, replaced)

    @staticmethod
    def example_rows(rows: Sequence[Mapping[str, str]], time_column: str) -> list[dict[str, str]]:
        """Return rows with an id, an operation and a time of change, as exchange tables have them."""
        return [
            {
                "id": str(number),
                "cd_operation": "I",
                "cd_time": row[time_column],
                **{name: value for name, value in row.items() if name != time_column},
            }
            for number, row in enumerate(rows, start=1)
        ]
