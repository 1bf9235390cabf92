"""What every transport has in common: a source tells what there is to collect, and lays it into the landing area."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, Protocol

from zhengku.clock import CITY_TIME_ZONE
from zhengku.errors import DeliveryRejected
from zhengku.landed.landing import Landed, LandingArea
from zhengku.landed.manifest import Manifest
from zhengku.transports.transport import Transport
from zhengku.transports.window import NewFiles, Watermark, Whole

EARLIEST: Final = datetime(1900, 1, 1)
"""An earlier time, by the city's clock, stands for none: no register is so old, and MySQL's 0000-00-00 is no time."""


@dataclass(frozen=True)
class Position:
    """How far a feed was read: the time of the newest row, by the department's clock, and that row's key.

    Rows that bear a later time than the reading's begin do not count: they would keep what comes after them, with an
    older time, out of every later window. `key` holds the row's `row_id` values as text; it is empty where the
    transport knows none.
    """

    at: datetime
    key: tuple[str, ...] = ()


@dataclass(frozen=True)
class Window:
    """What part of a feed to read: rows changed from `start` to `end`, both inclusive; None is no bound.

    With `after`, rows of the time `start` up to that key were read before, and are left out.
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
    """One thing to collect: a file as it was seen in the drop, or one reading of an interface or a table.

    `name` is text that can be stored and shown. `size` counts bytes, and is None before a reading. `modified_at` is
    the time of a file's last change or of the reading's begin, `manifest_at` that of a file's manifest.
    `twins` are landed files of the feed that have this size, their paths by SHA-256: one with the same bytes can stand
    for the delivery.
    """

    name: str
    modified_at: datetime
    size: int | None = None
    is_file: bool = True
    manifest_at: datetime | None = None
    window: Window | None = None
    twins: Mapping[str, str] = field(default_factory=dict, compare=False)


@dataclass(frozen=True)
class Collected:
    """A delivery in the landing area.

    `manifest` is what the source says of it, `position` how far the feed was read. `rejection` says that it is wrong
    as a whole; the bytes are kept all the same.
    """

    landed: Landed
    manifest: Manifest | None = None
    position: Position | None = None
    rejection: DeliveryRejected | None = None


@dataclass(frozen=True)
class DaySum:
    """How many keys have their newest row on a day (Asia/Shanghai), and the sum of their checksums.

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
    """What a source knows of its feed; `zhengku.catalog.Feed` is one."""

    @property
    def name(self) -> str:
        """`<department>/<feed>`."""

    @property
    def transport(self) -> Transport:
        """How the rows come."""

    @property
    def required_columns(self) -> tuple[str, ...]:
        """Columns without which a delivery is rejected."""

    @property
    def ignored_columns(self) -> tuple[str, ...]:
        """Columns that are delivered and not wanted."""

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
    def fields(self) -> Mapping[str, Any]:
        """Standard field → its `SourceField`."""


class Source(ABC):
    """One feed's source. A transport is a class with the abstract methods, and `day_sums` where it can count."""

    @abstractmethod
    def check(self) -> None:
        """Raise `ConfigurationError` for what could not be read by any means with this feed and this address.

        Nothing is connected to, so that a catalogue can be checked where its sources are not in reach.
        """

    @abstractmethod
    def deliveries(self, window: Window) -> Sequence[Delivery]:
        """Return what there is to collect in `window`, the oldest first; raises `DeliveryUnavailable`."""

    @abstractmethod
    def land(
        self, delivery: Delivery, landing: LandingArea, path: str, on_bytes: Callable[[int], None] | None = None
    ) -> Collected:
        """Lay a delivery into the landing area at `path`, untouched.

        Raises `DeliveryUnavailable` when the source cannot be read now, `SourceRefused` when another try would end the
        same, `DeliveryRejected` when there is nothing worth keeping; `StorageFull`, `ConfigurationError`.
        """

    def day_sums(self, since: datetime, until: datetime) -> Mapping[date, DaySum] | None:
        """Return count and checksum of the newest rows by key from `since` to `until`, by day; None: it can only list.

        Keys are those of the source as they are, not cleaned. Raises what `land` raises.
        """
        return None

    def newest_times(self, keys: Sequence[str]) -> Mapping[str, datetime] | None:
        """Return the newest time (with a zone; `EARLIEST` for none) of each of these keys that the source has.

        None where it cannot be asked for keys: it can only list. Raises what `land` raises.
        """
        return None


class Chunks:
    """Bytes that come piece by piece, to be read like a file."""

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
