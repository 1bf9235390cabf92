"""Taking the first rows of a source through its own transport, into a folder that is gone afterwards."""

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

_BAD_TOLD: Final = 3
_PIECE: Final = 64 * 1024
_PATH: Final = "sample"
_UNESCAPED: Final = {"t": "\t", "n": "\n", "r": "\r", "b": "\b", "f": "\f", "v": "\v"}


@dataclass(frozen=True)
class Sample:
    """Some rows of a source: the cells as they came, None where there was no value; `bad` rows are no records.

    `bad_rules` say why, a few of them, and `bad_cells` have those that came as cells; `no_text` has the columns that
    hold no text, with their type: they are not read. `notes` say what was read in a way that is not the ordinary one.
    """

    source_name: str
    columns: tuple[str, ...]
    rows: list[tuple[str | None, ...]] = field(repr=False)
    bad: int
    bad_rules: tuple[str, ...] = ()
    bad_cells: tuple[tuple[str, ...], ...] = field(default=(), repr=False)
    notes: tuple[str, ...] = ()
    no_text: tuple[tuple[str, str], ...] = ()


class _Enough(Exception):
    """The reading was stopped on purpose; what came lies in the landing area."""


class _SampleArea(LandingArea):
    """A landing area that takes only the first `limit` bytes, or all where it is None."""

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
        """Copy `content` up to the limit; raises `_Enough` when there is more of it."""
        if self.limit is None:
            return super().put(content, path, algorithms, on_bytes)
        head = _Head(content, self.limit)
        landed = super().put(head, path, algorithms, on_bytes)
        if head.was_cut:
            self.was_cut = True
            # The source must not go on, nor compare what came with what it promised.
            raise _Enough
        return landed


class _Head:
    """The first bytes of something, in small pieces, so that no page is asked for that is not needed."""

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
    """Read up to `rows` rows of a feed: of a file drop's newest file, of an interface's or a table's first pages.

    Nothing is written to the ledger, the store or the landing area. Raises `DeliveryUnavailable`, `SourceRefused`,
    `DeliveryRejected`, `ConfigurationError` as the transport does; `DeliveryUnavailable` when there is nothing to read.
    """
    feed = draft.feed
    connector = connector_of(feed)
    taken = connector.sample_source(address, draft.slots, rows)
    deliveries = taken.source.deliveries(window)
    if not deliveries:
        raise DeliveryUnavailable(
            f"{feed.name}: nothing lies in the file drop that fits the feed's folder, pattern and manifest. Check "
            "these, or ask the department for a first file."
        )
    delivery = deliveries[-1]
    with tempfile.TemporaryDirectory(prefix="zhengku-profile-") as folder:
        area = _SampleArea(folder, taken.most_bytes)
        try:
            collected = taken.source.land(delivery, area, _PATH)
        except _Enough:
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
    """Return the error with the name of what was read; a file drop has many."""
    return DeliveryRejected(error.rule, f"{name}: {error}", error.reason)


def _read(feed: Feed, area: _SampleArea, name: str, limit: int) -> Sample:
    rows: list[tuple[str | None, ...]] = []
    bad = 0
    why: dict[str, None] = {}
    bad_cells: list[tuple[str, ...]] = []
    with area.open(_PATH) as content:
        reader = open_reader(content, feed)
        try:
            for block in reader:
                bad += len(block.bad)
                bad_cells += [tuple(row.cells) for row in block.bad if row.cells]
                for row in block.bad[:_BAD_TOLD]:
                    why[f"{row.rule_id}, row {row.row_no}: {row.detail_en}"] = None
                if len(rows) < limit:
                    rows += [_cells(line) for line in block.copy_text.decode("utf-8").split("\n") if line]
                # Which sheets there are besides is known behind the last row.
                elif not isinstance(reader, IsolatedWorkbookReader):
                    break
        except DeliveryRejected:
            # A file that was cut ends in the middle of a row or a page, and says so.
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
    return Sample(name, columns, rows[:limit], bad, tuple(why)[:_BAD_TOLD], tuple(bad_cells), tuple(notes))


def _cells(line: str) -> tuple[str | None, ...]:
    """Return the cells of a line of COPY text, without the row number in front."""
    return tuple(None if cell == "\\N" else _unescaped(cell) for cell in line.split("\t")[1:])


def _unescaped(cell: str) -> str:
    if "\\" not in cell:
        return cell
    parts = iter(cell)
    return "".join(
        _UNESCAPED.get(following, following) if char == "\\" and (following := next(parts, "")) else char
        for char in parts
    )
