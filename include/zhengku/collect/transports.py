"""Which class reads which transport."""

from zhengku.catalog import Feed
from zhengku.catalog.department import ExchangeDatabase, HttpApi
from zhengku.collect.exchange_database import ExchangeDatabaseSource
from zhengku.collect.file_drop import FileDropSource
from zhengku.collect.http_api import HttpApiSource
from zhengku.collect.source import Source


def source_of(feed: Feed, address: str, slots: int, *, every_column: bool = False) -> Source:
    """Return the source of a feed at `address`; `slots` readers share what its system allows in a minute.

    With `every_column`, columns that nobody maps come too where the source could leave them out.
    """
    transport = feed.transport
    if isinstance(transport, HttpApi):
        return HttpApiSource(feed, transport, address, slots)
    if isinstance(transport, ExchangeDatabase):
        return ExchangeDatabaseSource(feed, transport, address, every_column=every_column)
    return FileDropSource(transport, address)
