"""What all transports have in common: a source lists what there is to collect, and lands it in the landing area."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Final, Protocol

from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import DeliveryRejected
from zhengku.landed.landing import Landed, LandingArea
from zhengku.landed.manifest import Manifest
from zhengku.transports.transport import Transport
from zhengku.transports.window import NewFiles, Watermark, Whole

EARLIEST: Final = datetime(1900, 1, 1)
"""An earlier time (Asia/Shanghai) means no time: no register is so old, and MySQL's 0000-00-00 is no time."""


@dataclass(frozen=True)
class Position:
    """How far a feed was read: the time of the newest row, by the department's clock, and that row's key.

    Rows with a later time than the reading's start do not count: rows that are written after them, with an earlier
    time, would be in no later window. `key` holds the row's `row_id` values as text; it is empty where the transport
    has none.
    """

    at: datetime
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Window:
    """The part of a feed to read: rows changed from `start` to `end`, both inclusive; None is no bound.

    With `after`, rows of the time `start` up to that key are left out: they were read before.
    """

    start: datetime | None = None
    end: datetime | None = None
    after: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Name the window as the ledger shows it, in Asia/Shanghai."""
        if self.start is None and self.end is None:
            return "whole"
        return f"{_shown(self.start)} to {_shown(self.end)}"


def _shown(at: datetime | None) -> str:
    return at.astimezone(CITY_TIME_ZONE).isoformat(sep=" ", timespec="seconds")[:19] if at else "open"


@dataclass(frozen=True)
class Delivery:
    """One thing to collect: a file as it was listed in the drop, or one reading of an interface or a table.

    `name` is text that can be stored and shown. `size` counts bytes, and is None before a reading. `modified_at` is
    the time of a file's last change or of the reading's start, `manifest_at` that of a file's manifest.
    `landed_of_size` are landed files of the feed that have this size, their paths by SHA-256: one with the same bytes
    can be used for the delivery.
    """

    name: str
    modified_at: datetime
    size: int | None = None
    is_file: bool = True
    manifest_at: datetime | None = None
    window: Window | None = None
    landed_of_size: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Collected:
    """A delivery in the landing area.

    `manifest` is what the source says about it, `position` how far the feed was read. `rejection` is a fault of the
    complete delivery; its bytes stay in the landing area nevertheless.
    """

    landed: Landed
    manifest: Manifest | None = None
    position: Position | None = None
    rejection: DeliveryRejected | None = None


@dataclass(frozen=True)
class DaySum:
    """The number of keys whose newest row is of a day (Asia/Shanghai), and the sum of their checksums.

    The checksum is that of `zhengku.operations.reconcile.checksum`.
    """

    number: int
    checksum: int


@dataclass(frozen=True)
class UntakenFile:
    """A file that no feed takes: its path below the connection's address, bytes, time of change, reason in Chinese."""

    name: str
    size: int
    modified_at: datetime
    reason: str


class SourceField(Protocol):
    """Where a standard field of a feed comes from."""

    @property
    def column(self) -> str | None:
        """Name of the delivered column; None for a constant."""

    @property
    def codes(self) -> Mapping[str, str] | None:
        """The department's code → ours."""

    @property
    def remove_prefix(self) -> str | None:
        """Text that is removed from the front of a value."""


class SourceFeed(Protocol):
    """What a source knows about its feed; `zhengku.catalog.Feed` is one."""

    @property
    def name(self) -> str:
        """`<department>/<feed>`."""

    @property
    def transport(self) -> Transport:
        """How the rows are collected."""

    @property
    def required_columns(self) -> tuple[str, ...]:
        """Columns without which a delivery is rejected."""

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Columns that are delivered and not used."""

    @property
    def window(self) -> NewFiles | Watermark | Whole:
        """What one run collects."""

    @property
    def key(self) -> tuple[str, ...]:
        """Standard fields that together identify a record."""

    @property
    def version(self) -> str:
        """`delivery` or `source_updated_at`: which of two rows of one key is newer."""

    @property
    def fields(self) -> Mapping[str, SourceField]:
        """Standard field → where it comes from."""


class Source(ABC):
    """The source of one feed; a transport implements the abstract methods, and `day_sums` where it can count.

    A source whose one delivery is in memory:

    >>> from io import BytesIO
    >>> from tempfile import TemporaryDirectory
    >>> class MemorySource(Source):
    ...     content = b"number,holder\\nA-1,Example Ltd.\\n"
    ...
    ...     def check(self):
    ...         pass
    ...
    ...     def deliveries(self, window):
    ...         changed = datetime(2026, 11, 30, 8, tzinfo=CITY_TIME_ZONE)
    ...         return [Delivery("licenses.csv", changed, size=len(self.content))]
    ...
    ...     def land(self, delivery, landing, path, on_bytes=None):
    ...         return Collected(landing.put(BytesIO(self.content), path, on_bytes=on_bytes))
    >>> source = MemorySource()
    >>> with TemporaryDirectory() as folder:
    ...     landing = LandingArea(folder)
    ...     [delivery] = source.deliveries(Window())
    ...     landed = source.land(delivery, landing, f"2026-11-30/{delivery.name}").landed
    ...     with landing.open(landed.path) as content:
    ...         print(landed.path, landed.size, content.readline())
    2026-11-30/licenses.csv 31 b'number,holder\\n'

    It has no sums, so that reconciliation lists its keys:

    >>> source.day_sums(delivery.modified_at, delivery.modified_at) is None
    True
    """

    @abstractmethod
    def check(self) -> None:
        """Raise `ConfigurationError` for settings and an address with which nothing can ever be read.

        No connection is made, so that a catalogue can be checked where its sources cannot be reached.
        """

    @abstractmethod
    def deliveries(self, window: Window) -> Sequence[Delivery]:
        """Return the deliveries to collect in `window`, the oldest first; raises `DeliveryUnavailable`."""

    @abstractmethod
    def land(
        self, delivery: Delivery, landing: LandingArea, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> Collected:
        """Copy a delivery, unchanged, to `path` in the landing area; `on_bytes` is called with the size of each block.

        Raises `DeliveryUnavailable` when the source cannot be read now, `SourceRefused` when another try would fail in
        the same way, `DeliveryRejected` when there is nothing worth storing; `StorageFull`, `ConfigurationError`.
        """

    def day_sums(self, since: datetime, until: datetime) -> Mapping[date, DaySum] | None:
        """Return count and checksum of each key's newest row from `since` to `until`, by day; None if it cannot count.

        Keys are not cleaned, but compared as the source has them. Raises what `land` raises.
        """
        return None

    def newest_times(self, keys: Sequence[str]) -> Mapping[str, datetime] | None:
        """Return the newest time (with a zone; `EARLIEST` for none) of each of these keys that the source has.

        None for a source that cannot look up keys. Raises what `land` raises.
        """
        return None


class Chunks:
    """Bytes that are produced piece by piece, to be read like a file."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = b""

    def read(self, size: int, /) -> bytes:
        """Return at most `size` bytes; none at the end."""
        gathered = [self._rest]
        length = len(self._rest)
        while length < size and (piece := next(self._pieces, None)) is not None:
            gathered.append(piece)
            length += len(piece)
        joined = b"".join(gathered)
        self._rest = joined[size:]
        return joined[:size]
