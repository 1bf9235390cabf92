"""Opening the reader that fits the form of a landed delivery."""

from typing import BinaryIO

from zhengku.catalog import Feed
from zhengku.readers.reader import Reader
from zhengku.readers.table_rows import open_table_rows
from zhengku.transports.registry import connector_of


def open_reader(content: BinaryIO, feed: Feed, origin: str = "delivery") -> Reader:
    """Open the landed delivery of a batch. Raises `DeliveryRejected` when it cannot be read at all.

    Redriven problem records are landed as rows of a table, for every transport.
    """
    if origin == "redrive":
        return open_table_rows(content, required_columns=feed.required_columns)
    return connector_of(feed).open_reader(content)
