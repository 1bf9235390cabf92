"""What the steps of the pipeline need of a transport: a source of its rows, a reader of what was landed, a sample.

To add a transport, write a package next to `file_drop`, `http` and `exchange_database` with a model and a connector,
and name both in `zhengku.transports.registry`; docs/architecture.md lists the files.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Final, Generic, TypeVar

from zhengku.errors import ConfigurationError
from zhengku.readers.reader import Reader
from zhengku.transports.source import Source, SourceFeed, UntakenFile
from zhengku.transports.transport import Transport

SAMPLE_BYTES_A_ROW: Final = 2048
"""Reading a sample of an interface or a table stops after so many bytes for each requested row."""

SettingsT = TypeVar("SettingsT", bound=Transport)


Takers = Sequence[tuple[str, Transport]]
"""The transports that may collect a file, each with its address."""


@dataclass(frozen=True)
class SampleSource:
    """A source from which a sample is read.

    `most_bytes` is where the reading stops, None for the complete delivery. `no_text` names the columns that are not
    read because they hold no text, such as pictures, each with the name of its type.
    """

    source: Source
    most_bytes: int | None
    no_text: tuple[tuple[str, str], ...] = ()


class Connector(ABC, Generic[SettingsT]):
    """A transport for one feed; `settings` are those of the feed's file.

    A transport whose rows are written in the department's file itself: its settings, its source, its connector.

    >>> from datetime import datetime
    >>> from io import BytesIO
    >>> from tempfile import TemporaryDirectory
    >>> from types import SimpleNamespace
    >>> from typing import Literal
    >>> from zhengku.clock import CITY_TIME_ZONE
    >>> from zhengku.landed.landing import LandingArea
    >>> from zhengku.readers.records import open_records
    >>> from zhengku.transports.source import Collected, Delivery, Window
    >>> class Inline(Transport):
    ...     kind: Literal["inline"]
    ...     text: str
    ...     origin_zh = property(lambda self: "配置文件")
    ...     reading_zh = property(lambda self: "读取配置文件中的各行。")
    >>> class InlineSource(Source):
    ...     def __init__(self, text):
    ...         self.text = text
    ...
    ...     def check(self):
    ...         pass
    ...
    ...     def deliveries(self, window):
    ...         return [Delivery("inline", datetime(2026, 11, 30, tzinfo=CITY_TIME_ZONE))]
    ...
    ...     def land(self, delivery, landing, path, on_bytes=None):
    ...         return Collected(landing.put(BytesIO(self.text.encode()), path, on_bytes=on_bytes))
    >>> class InlineConnector(Connector[Inline]):
    ...     example_address = "inline"
    ...
    ...     def source(self, address, slots):
    ...         return InlineSource(self.settings.text)
    ...
    ...     def open_reader(self, content):
    ...         return open_records(content, required_columns=self.feed.required_columns)

    The steps of the pipeline use it like this; a feed has more properties than this stand-in:

    >>> feed = SimpleNamespace(name="example/licenses", required_columns=("number",))
    >>> settings = Inline(kind="inline", connection="none", text="number,holder\\nA-1,Example Ltd.\\n")
    >>> connector = InlineConnector(feed, settings)
    >>> source = connector.source(connector.example_address, slots=1)
    >>> with TemporaryDirectory() as folder:
    ...     landing = LandingArea(folder)
    ...     for delivery in source.deliveries(Window()):
    ...         collected = source.land(delivery, landing, delivery.name)
    ...         with landing.open(collected.landed.path) as content:
    ...             reader = connector.open_reader(content)
    ...             print(reader.columns, [block.copy_text for block in reader])
    ('number', 'holder') [b'2\\tA-1\\tExample Ltd.\\n']
    >>> connector.nothing_delivered("inline")
    'Nothing was delivered for example/licenses.'
    """

    example_address: ClassVar[str]
    """An address of the right form, for checks that look at everything but the address."""

    def __init__(self, feed: SourceFeed, settings: SettingsT) -> None:
        self.feed = feed
        self.settings = settings

    @abstractmethod
    def source(self, address: str, slots: int) -> Source:
        """Return the source at `address`; `slots` readers share what its system allows in a minute."""

    @abstractmethod
    def open_reader(self, content: BinaryIO) -> Reader:
        """Open what the source landed; raises `DeliveryRejected` for a fault of the complete delivery."""

    def sample_source(self, address: str, slots: int, rows: int) -> SampleSource:
        """Return a source of about `rows` rows with all their columns, including those that the feed does not map."""
        return SampleSource(self.source(address, slots), rows * SAMPLE_BYTES_A_ROW)

    def complete_cut_sample(self, path: Path) -> None:
        """Make a landed file that was cut at `most_bytes` readable; most forms can be read up to the cut without it."""

    def nothing_delivered(self, address: str) -> str:
        """Return a sentence about what was expected at `address`, for a run in which nothing was delivered."""
        return f"Nothing was delivered for {self.feed.name}."

    def untaken_files(self, address: str, takers: Iterable[Takers]) -> list[UntakenFile]:
        """Return the files at `address` that none of the last of the `takers` collects, by name.

        Each of the `takers` contains the one before; the next is asked for only while files remain.

        Raises `OSError` and `ZhengkuError` where the address cannot be read.
        """
        return []

    def write_returned(
        self, address: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], replaced: Mapping[str, Any]
    ) -> None:
        """Write returned problem records to the place `returns_to`, in place of those that have the values `replaced`.

        Raises what the transport's source raises.
        """
        raise ConfigurationError(
            f"{self.feed.name}: expected a transport that takes returned problem records back, got "
            f"{self.settings.kind}. Remove return_table from the feed."
        )

    @staticmethod
    def example_rows(rows: Sequence[Mapping[str, str]], time_column: str) -> list[dict[str, str]]:
        """Return made-up rows as a system of this kind delivers them; `time_column` has the time of a row's change."""
        return [dict(row) for row in rows]
