"""The profile of a feed: a table of its columns, and the proposed mapping."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from zhengku.catalog import load_catalog
from zhengku.collect.window import window_after
from zhengku.errors import DeliveryRejected
from zhengku.profile.draft import read_draft
from zhengku.profile.keys import ProposedKey, propose_key
from zhengku.profile.looks import ColumnLook, look_at
from zhengku.profile.proposal import Proposal, proposal_yaml, propose
from zhengku.profile.sample import take_sample
from zhengku.profile.synonyms import read_synonyms
from zhengku.settings import Settings
from zhengku.stage.footers import Footers
from zhengku.transports.source import Window
from zhengku.validate.presence import needed_fields
from zhengku.validate.suites import load_suites

_LOOK_SHOWN: Final = 0.05


@dataclass(frozen=True)
class Profile:
    """What was seen of a feed: the delivery's name, counts of rows, its columns, and the mapping as YAML.

    `footers` were left out of `rows` and `bad`: sums and remarks, which no key tells. `notes` are of the reading.
    """

    feed: str
    source_name: str
    rows: int
    bad: int
    columns: tuple[ColumnLook, ...]
    yaml: str
    bad_rules: tuple[str, ...] = ()
    footers: int = 0
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the profile as YAML: what was seen as comments, then the mapping, to be pasted below the transport."""
        bad = f", {self.bad} more are no records ({'; '.join(self.bad_rules)})" if self.bad else ""
        footers = f", {self.footers} are sums or remarks (footer_words)" if self.footers else ""
        lines = [
            f"{self.feed}: {self.rows} rows of {self.source_name}{bad}{footers}.",
            *(f"{note}." for note in self.notes),
            "Paste what follows below the feed's transport and window. A line with a ? is a guess: look at it.",
            "",
            *(f"{column.name}: {_told(column)}" for column in self.columns),
        ]
        head = "".join(f"    # {_printable(line)}".rstrip() + "\n" for line in lines)
        return f"{head}\n{self.yaml}"


def profile(settings: Settings, department: str, feed_id: str, rows: int, window: Window | None = None) -> Profile:
    """Look at up to `rows` rows of a feed and propose its mapping; the feed need not have one yet.

    `window` is the part of a feed with a watermark to look at, its begin when left out. Nothing is written anywhere.
    Raises `CatalogError`, `ConfigurationError`, and what the transport raises; `DeliveryRejected` (`file.empty`) when
    the sample has no rows.
    """
    draft = read_draft(settings.catalog_folder, department, feed_id)
    catalog = load_catalog(settings.catalog_folder)
    feed = draft.feed
    standard = catalog.standard_fields(feed.dataset)
    license_type = catalog.license_type(feed.license_type) if feed.license_type else None
    synonyms = read_synonyms(catalog.folder, {name: row.name_zh for name, row in standard.items()})
    address = settings.connection(feed.transport.connection)
    sample = take_sample(draft, address, window or window_after(feed, None), rows)
    if not sample.rows:
        raise DeliveryRejected(
            "file.empty",
            f"{feed.name}: expected rows to look at, {sample.source_name} has none that are records ({sample.bad} are "
            f"none{''.join(f'; {told}' for told in sample.bad_rules)}). Ask the department for a delivery with rows.",
            f"{sample.source_name} 没有可用的数据行，请补充后重新提交",
        )
    nothing = frozenset(catalog.null_words(feed, "text"))

    def looked(rows: Sequence[Sequence[str | None]]) -> tuple[tuple[ColumnLook, ...], Proposal, ProposedKey]:
        columns = tuple(
            look_at(name, (row[place] for row in rows), catalog.district_aliases, nothing)
            for place, name in enumerate(sample.columns)
        )
        proposal = propose(feed, license_type, standard, synonyms, columns)
        return columns, proposal, propose_key(feed, license_type, standard, proposal, sample.columns, rows, nothing)

    columns, proposal, key = looked(sample.rows)
    # Sums and remarks are known by the key, and the key by the rows: so all are looked at again without them.
    named = [each.column for each in proposal.fields if each.name in key.fields]
    footers = Footers.with_key(feed, named, sample.columns)
    rows_kept = sample.rows
    footers_below = 0
    if footers.may_occur:
        rows_kept = [row for row in sample.rows if footers.word_of([cell or "" for cell in row]) is None]
        footers_below = sum(footers.word_of(cells) is not None for cells in sample.bad_cells)
    if not rows_kept:
        rows_kept = sample.rows
    if len(rows_kept) < len(sample.rows):
        columns, proposal, key = looked(rows_kept)
    proposal.no_text += sample.no_text
    suites = [feed.dataset]
    if feed.license_type and (settings.suite_folder / f"{feed.license_type}.json").is_file():
        suites.append(feed.license_type)
    deletes = proposal.operation is not None and proposal.operation.is_sure
    needed = needed_fields(load_suites(settings.suite_folder, suites), with_deletes=deletes)
    return Profile(
        feed=feed.name,
        source_name=sample.source_name,
        rows=len(rows_kept),
        bad=sample.bad - footers_below,
        columns=columns,
        bad_rules=sample.bad_rules,
        footers=len(sample.rows) - len(rows_kept) + footers_below,
        notes=sample.notes,
        yaml=proposal_yaml(feed, proposal, standard, suites, str(key), needed),
    )


def _told(column: ColumnLook) -> str:
    shares = {look: column.share(look) for look in (*column.looks, "date")}
    looks = [f"{int(share * 100)}% {look}" for look, share in shares.items() if share >= _LOOK_SHOWN]
    forms = "/".join(column.date_forms)
    filled = f"{column.filled} of {column.rows} filled, {column.distinct} different"
    return "; ".join([filled, *looks, *([f"written {forms}"] if forms else [])])


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text)
