"""Reading a landed delivery as rows, whatever form it came in."""

from typing import BinaryIO

from zhengku.catalog import Feed
from zhengku.readers.reader import Reader
from zhengku.readers.table_rows import open_table_rows
from zhengku.transports.registry import connector_of


def open_reader(content: BinaryIO, feed: Feed, origin: str = "delivery") -> Reader:
    """Open what was landed for a batch of a feed; raises `DeliveryRejected` when it is wrong as a whole.

    Redriven problem records are landed in the form of a table's rows, whatever the feed's transport.
    """
    if origin == "redrive":
        return open_table_rows(content, required_columns=feed.required_columns)
    return connector_of(feed).open_reader(content)
