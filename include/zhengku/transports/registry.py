"""All transports: the only module that names each of them."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field

from zhengku.transports.exchange_database.model import ExchangeDatabase
from zhengku.transports.file_drop.model import FileDrop
from zhengku.transports.http.model import HttpApi

# With the catalogue every parse of a DAG imports this module: the landing area and the readers are not needed for that.
if TYPE_CHECKING:
    from zhengku.transports.connector import Connector
    from zhengku.transports.source import SourceFeed

AnyTransport = Annotated[HttpApi | ExchangeDatabase | FileDrop, Field(discriminator="kind")]
"""The settings of a transport, as a department's file may have them."""

TransportKind = Literal["file_drop", "http", "exchange_database"]


def _file_drop() -> "type[Connector[Any]]":
    from zhengku.transports.file_drop.connector import FileDropConnector

    return FileDropConnector


def _http() -> "type[Connector[Any]]":
    from zhengku.transports.http.connector import HttpConnector

    return HttpConnector


def _exchange_database() -> "type[Connector[Any]]":
    from zhengku.transports.exchange_database.connector import ExchangeDatabaseConnector

    return ExchangeDatabaseConnector


# Imported when first used: DAGs are parsed all the time, and need neither requests nor drivers.
_CONNECTORS: "Final[dict[str, Callable[[], type[Connector[Any]]]]]" = {
    "file_drop": _file_drop,
    "http": _http,
    "exchange_database": _exchange_database,
}


def connector_class(kind: TransportKind) -> "type[Connector[Any]]":
    """Return the connector of a kind of transport."""
    return _CONNECTORS[kind]()


def connector_of(feed: "SourceFeed") -> "Connector[Any]":
    """Return the connector of a feed."""
    return _CONNECTORS[feed.transport.kind]()(feed, feed.transport)


def check_transport(feed: "SourceFeed") -> None:
    """Raise `ConfigurationError` for settings that the feed's source refuses whatever its address is."""
    connector = connector_of(feed)
    connector.source(connector.example_address, 1).check()
