"""Which class reads which transport."""

from zhengku.catalog import Feed
from zhengku.catalog.department import ExchangeDatabase, HttpApi
from zhengku.collect.exchange_database import ExchangeDatabaseSource
from zhengku.collect.file_drop import FileDropSource
from zhengku.collect.http_api import HttpApiSource
from zhengku.collect.source import Source


def source_of(feed: Feed, address: str, slots: int) -> Source:
    """Return the source of a feed at `address`; `slots` readers share what its system allows in a minute."""
    transport = feed.transport
    if isinstance(transport, HttpApi):
        return HttpApiSource(feed, transport, address, slots)
    if isinstance(transport, ExchangeDatabase):
        return ExchangeDatabaseSource(feed, transport, address)
    return FileDropSource(transport, address)
