"""Which class reads which transport."""

from typing import Final

from zhengku.catalog import Feed
from zhengku.catalog.department import ExchangeDatabase, HttpApi
from zhengku.collect.exchange_database import ExchangeDatabaseSource
from zhengku.collect.file_drop import FileDropSource
from zhengku.collect.http_api import HttpApiSource
from zhengku.collect.source import Source

_ANY_ADDRESS: Final = {
    "http": "http://id:secret@localhost/",
    "exchange_database": "postgresql://user@localhost/exchange",
    "file_drop": "/drop",
}
"""By kind: what stands for an address that nobody looks at."""


def check_transport(feed: Feed) -> None:
    """Raise `ConfigurationError` for what the source of a feed would refuse whatever its address is."""
    source_of(feed, _ANY_ADDRESS[feed.transport.kind], 1).check()


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
