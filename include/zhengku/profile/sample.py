"""Reading the first rows of a source through its own transport, into a temporary folder."""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from zhengku.catalog import Feed
from zhengku.errors import DeliveryRejected, DeliveryUnavailable
from zhengku.landed.landing import Landed, LandingArea, Readable
from zhengku.masking import mask_text
from zhengku.profile.draft import Draft
from zhengku.readers.workbook_process import IsolatedWorkbookReader
from zhengku.stage.reader import open_reader
from zhengku.transports.registry import connector_of
from zhengku.transports.source import Window

_SHOWN_RULES: Final = 3
_PIECE: Final = 64 * 1024
_PATH: Final = "sample"
_UNESCAPED: Final = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}


@dataclass(frozen=True)
class Sample:
    """Some rows of a source, each with its cells as they were delivered: None where there was no value.

    `bad` counts the rows that are no records: `bad_rules` has the reasons of some, `bad_cells` the cells of those that
    have any. `no_text` has the columns that hold no text, with their types: they are not read. `notes` are the reader's
    notes on unusual content.
    """

    source_name: str
    columns: tuple[str, ...]
    rows: list[tuple[str | None, ...]] = field(repr=False)
    bad: int
    bad_rules: tuple[str, ...] = ()
    bad_cells: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    no_text: tuple[tuple[str, str], ...] = ()


class _LimitReached(Exception):
    """The reading was stopped at the limit; what was read is in the landing area."""


class _SampleArea(LandingArea):
    """A landing area that stores only the first `limit` bytes, or all when it is None."""

    def __init__(self, url: str, limit: int | None) -> None:
        super().__init__(url)
        self.limit = limit
        self.was_cut = False

    def put(
        self,
        content: Readable,
        path: str,
        algorithms: Iterable[str] = (),
        on_bytes: Callable[[int], None] | None = None,
    ) -> Landed:
        """Copy `content` up to the limit; raises `_LimitReached` when there is more of it."""
        if self.limit is None:
            return super().put(content, path, algorithms, on_bytes)
        limited = _LimitedContent(content, self.limit)
        landed = super().put(limited, path, algorithms, on_bytes)
        if limited.was_cut:
            self.was_cut = True
            # Stops the source, which otherwise would read on, or compare the received bytes with the promised ones.
            raise _LimitReached
        return landed


class _LimitedContent:
    """The first bytes of a content, read in small pieces, so that no page is requested that is not needed."""

    def __init__(self, content: Readable, limit: int) -> None:
        self._content = content
        self._left = limit
        self.was_cut = False

    def read(self, size: int, /) -> bytes:
        if self._left <= 0:
            self.was_cut = bool(self._content.read(1))
            return b""
        piece = self._content.read(min(size, _PIECE))
        self._left -= len(piece)
        return piece


def take_sample(draft: Draft, address: str, window: Window, rows: int) -> Sample:
    """Read up to `rows` rows: of the newest file in a file drop, of the first pages of an interface or a table.

    Nothing is written to the ledger, the store or the landing area. Raises `DeliveryUnavailable`, `SourceRefused`,
    `DeliveryRejected`, `ConfigurationError` as the transport does; `DeliveryUnavailable` when there is nothing to read.
    """
    feed = draft.feed
    connector = connector_of(feed)
    taken = connector.sample_source(address, draft.slots, rows)
    deliveries = taken.source.deliveries(window)
    if not deliveries:
        raise DeliveryUnavailable(
            f"{feed.name}: the file drop has no file that fits the feed's folder, pattern and manifest. Check these, "
            "or ask the department for a first file."
        )
    delivery = deliveries[-1]
    with tempfile.TemporaryDirectory(prefix="zhengku-profile-") as folder:
        area = _SampleArea(folder, taken.most_bytes)
        try:
            collected = taken.source.land(delivery, area, _PATH)
        except _LimitReached:
            pass
        else:
            if collected.rejection is not None:
                raise _named(delivery.name, collected.rejection)
        if area.was_cut:
            connector.complete_cut_sample(Path(folder) / _PATH)
        try:
            return replace(_read(feed, area, delivery.name, rows), no_text=taken.no_text)
        except DeliveryRejected as error:
            raise _named(delivery.name, error) from None


def _named(name: str, error: DeliveryRejected) -> DeliveryRejected:
    """Return the error with the name of the delivery: a file drop has many."""
    return DeliveryRejected(error.rule, f"{name}: {error}", error.reason)


def _read(feed: Feed, area: _SampleArea, name: str, limit: int) -> Sample:
    rows: list[tuple[str | None, ...]] = []
    bad = 0
    reasons: dict[str, None] = {}
    bad_cells: list[tuple[str, ...]] = []
    with area.open(_PATH) as content:
        reader = open_reader(content, feed)
        try:
            for block in reader:
                bad += len(block.bad)
                bad_cells += [tuple(row.cells) for row in block.bad if row.cells]
                for row in block.bad[:_SHOWN_RULES]:
                    reasons[f"{row.rule_id}, row {row.row_no}: {row.detail_en}"] = None
                if len(rows) < limit:
                    rows += [_cells(line) for line in block.copy_text.decode("utf-8").split("\n") if line]
                # The skipped sheets of a workbook are known after the last row.
                elif not isinstance(reader, IsolatedWorkbookReader):
                    break
        except DeliveryRejected:
            # A file that was cut ends in the middle of a row or a page, which the reader rejects.
            if not area.was_cut or not rows:
                raise
        columns = tuple(reader.columns)
        notes = [note.text_en for note in reader.notes]
        if isinstance(reader, IsolatedWorkbookReader):
            notes += [
                f"Sheet {mask_text(sheet.name)} was not read, {sheet.rows} of its rows have something in them; the "
                "feed's format says which sheets are read"
                for sheet in reader.sheets
                if sheet.skipped is not None and sheet.rows
            ]
    return Sample(name, columns, rows[:limit], bad, tuple(reasons)[:_SHOWN_RULES], tuple(bad_cells), tuple(notes))


def _cells(line: str) -> tuple[str | None, ...]:
    """Return the cells of a line of COPY text, without the row number, which is the first."""
    return tuple(None if cell == "\\N" else _unescaped(cell) for cell in line.split("\t")[1:])


def _unescaped(cell: str) -> str:
    if "\\" not in cell:
        return cell
    parts = iter(cell)
    return "".join(
        _UNESCAPED.get(following, following) if char == "\\" and (following := next(parts, "")) else char
        for char in parts
    )
