"""What the steps of the pipeline do with a transport: a source of its rows, a reader of what was landed, a sample.

To add a transport, write a package beside `file_drop`, `http` and `exchange_database` with a model and a connector, and
name both in `zhengku.transports.registry`; docs/architecture.md lists the files.
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
"""Reading a sample of an interface or a table stops after so many bytes for each row that was asked for."""

SettingsT = TypeVar("SettingsT", bound=Transport)


@dataclass(frozen=True)
class SampleSource:
    """A source from which a sample is read.

    `most_bytes` is where the reading stops, None for the whole delivery. `no_text` names the columns that hold no
    text, as pictures do, each with the name of its type: they are not read.
    """

    source: Source
    most_bytes: int | None
    no_text: tuple[tuple[str, str], ...] = ()


class Connector(ABC, Generic[SettingsT]):
    """A transport at work for one feed; `settings` are what the feed's file says of it."""

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
        """Open what the source landed; raises `DeliveryRejected` when it is wrong as a whole."""

    def sample_source(self, address: str, slots: int, rows: int) -> SampleSource:
        """Return a source that gives about `rows` rows, with all columns, also those that nobody maps."""
        return SampleSource(self.source(address, slots), rows * SAMPLE_BYTES_A_ROW)

    def end_cut_sample(self, path: Path) -> None:
        """Make a landed file that was cut at `most_bytes` readable; most forms are read up to the cut."""

    def nothing_delivered(self, address: str) -> str:
        """Say in a sentence what was expected at `address` where nothing was delivered."""
        return f"Nothing was delivered for {self.feed.name}."

    def untaken_files(self, address: str, takers: Iterable[tuple[str, Transport]]) -> list[UntakenFile]:
        """Return the files at `address` that none of the `takers` (address and settings) collects, by name.

        Raises `OSError` and `ZhengkuError` where the place cannot be read.
        """
        return []

    def write_returned(
        self, address: str, columns: Sequence[str], rows: Sequence[Mapping[str, Any]], replaced: Mapping[str, Any]
    ) -> None:
        """Write returned problem records to the place `returns_to`, instead of those that have the values `replaced`.

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
