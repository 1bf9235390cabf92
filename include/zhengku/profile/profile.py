"""The profile of a feed: its columns as seen in a sample, and the proposed mapping."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from zhengku.catalog import Catalog, Feed, load_catalog
from zhengku.catalog.reference import LicenseType, StandardField
from zhengku.collect.window import window_after
from zhengku.errors import DeliveryRejected
from zhengku.masking import mask_text
from zhengku.profile.column_profile import ColumnProfile, profile_column
from zhengku.profile.draft import read_draft
from zhengku.profile.keys import ProposedKey, propose_key
from zhengku.profile.proposal import Proposal
from zhengku.profile.proposal_builder import propose
from zhengku.profile.proposal_yaml import proposal_yaml
from zhengku.profile.sample import Sample, take_sample
from zhengku.profile.synonyms import read_synonyms
from zhengku.settings import Settings
from zhengku.stage.footers import Footers
from zhengku.transports.source import Window
from zhengku.validate.presence import needed_fields
from zhengku.validate.suites import load_suites

_SHOWN_SHARE: Final = 0.05
"""Share of a column's values from which on a pattern is shown."""

_Row = tuple[str | None, ...]


@dataclass(frozen=True)
class Profile:
    """The profile of a feed: the sampled delivery, its columns, and the proposed mapping as YAML.

    `rows` counts the records of the sample, `bad` the rows that are no records, `footers` the sums and remarks; none is
    in two counts. `notes` are the reader's notes.
    """

    feed: str
    source_name: str
    rows: int
    bad: int
    columns: tuple[ColumnProfile, ...]
    yaml: str
    bad_rules: tuple[str, ...] = ()
    footers: int = 0
    notes: tuple[str, ...] = ()

    def __str__(self) -> str:
        """Return the profile as YAML to be pasted below the transport: the columns as comments, then the mapping."""
        bad = f", {self.bad} more are no records ({'; '.join(self.bad_rules)})" if self.bad else ""
        footers = f", {self.footers} are sums or remarks (footer_words)" if self.footers else ""
        lines = [
            f"{self.feed}: {self.rows} rows of {mask_text(self.source_name)}{bad}{footers}.",
            *(f"{note}." for note in self.notes),
            "Paste what follows below the feed's transport and window. A line with a ? is a guess: look at it.",
            "",
            *(f"{column.name}: {_describe(column)}" for column in self.columns),
        ]
        head = "".join(f"    # {_printable(line)}".rstrip() + "\n" for line in lines)
        return f"{head}\n{self.yaml}"


def profile(settings: Settings, department: str, feed_id: str, rows: int, window: Window | None = None) -> Profile:
    """Read up to `rows` rows of a feed, which need not have a mapping yet, and propose its mapping.

    `window` is the part of a feed with a watermark to read from, by default from its start. Nothing is written. Raises
    `CatalogError`, `ConfigurationError`, and what the transport raises; `DeliveryRejected` (`file.empty`) when the
    sample has no rows.
    """
    draft = read_draft(settings.catalog_folder, department, feed_id)
    catalog = load_catalog(settings.catalog_folder)
    feed = draft.feed
    proposer = _Proposer.of(catalog, feed)
    address = settings.connection(feed.transport.connection)
    sample = take_sample(draft, address, window or window_after(feed, None), rows)
    if not sample.rows:
        raise _no_rows(feed, sample)
    proposed = proposer.propose(sample.columns, sample.rows)
    records, footers_in_bad = _without_footers(feed, proposed, sample)
    if len(records) < len(sample.rows):
        proposed = proposer.propose(sample.columns, records)
    proposed.proposal.no_text += sample.no_text
    return Profile(
        feed=feed.name,
        source_name=sample.source_name,
        rows=len(records),
        bad=sample.bad - footers_in_bad,
        columns=proposed.columns,
        bad_rules=sample.bad_rules,
        footers=len(sample.rows) - len(records) + footers_in_bad,
        notes=sample.notes,
        yaml=_mapping_yaml(settings, feed, proposer.standard, proposed),
    )


@dataclass(frozen=True)
class _Proposed:
    """What the rows of a sample lead to."""

    columns: tuple[ColumnProfile, ...]
    proposal: Proposal
    key: ProposedKey


@dataclass(frozen=True)
class _Proposer:
    """Proposes a feed's mapping and key for rows of its sample, by the catalogue."""

    feed: Feed
    license_type: LicenseType | None
    standard: Mapping[str, StandardField]
    synonyms: Mapping[str, str]
    districts: Mapping[str, str] = field(repr=False)
    null_words: Collection[str] = field(repr=False)

    @classmethod
    def of(cls, catalog: Catalog, feed: Feed) -> "_Proposer":
        standard = catalog.standard_fields(feed.dataset)
        return cls(
            feed,
            license_type=catalog.license_type(feed.license_type) if feed.license_type else None,
            standard=standard,
            synonyms=read_synonyms(catalog.folder, {name: row.name_zh for name, row in standard.items()}),
            districts=catalog.district_aliases,
            null_words=frozenset(catalog.null_words(feed, "text")),
        )

    def propose(self, names: Sequence[str], rows: Sequence[_Row]) -> _Proposed:
        columns = tuple(
            profile_column(name, (row[place] for row in rows), self.districts, self.null_words)
            for place, name in enumerate(names)
        )
        proposal = propose(self.feed, self.license_type, self.standard, self.synonyms, columns)
        key = propose_key(self.feed, self.license_type, self.standard, proposal, names, rows, self.null_words)
        return _Proposed(columns, proposal, key)


def _without_footers(feed: Feed, proposed: _Proposed, sample: Sample) -> tuple[Sequence[_Row], int]:
    """Return the rows that are no sums or remarks, and how many of the bad rows are sums or remarks.

    Footers are recognised by the key columns, which are proposed from all rows: so the caller proposes again for the
    rows that remain. When all rows look like footers, all are returned.
    """
    key_columns = [each.column for each in proposed.proposal.fields if each.name in proposed.key.fields]
    footers = Footers.with_key(feed, key_columns, sample.columns)
    if not footers.may_occur:
        return sample.rows, 0
    records = [row for row in sample.rows if footers.word_of([cell or "" for cell in row]) is None]
    in_bad = sum(footers.word_of(cells) is not None for cells in sample.bad_cells)
    return records or sample.rows, in_bad


def _mapping_yaml(settings: Settings, feed: Feed, standard: Mapping[str, StandardField], proposed: _Proposed) -> str:
    suites = [feed.dataset]
    if feed.license_type and (settings.suite_folder / f"{feed.license_type}.json").is_file():
        suites.append(feed.license_type)
    operation = proposed.proposal.operation
    with_deletes = operation is not None and operation.is_sure
    required = needed_fields(load_suites(settings.suite_folder, suites), with_deletes=with_deletes)
    return proposal_yaml(feed, proposed.proposal, standard, suites, str(proposed.key), required)


def _no_rows(feed: Feed, sample: Sample) -> DeliveryRejected:
    return DeliveryRejected(
        "file.empty",
        f"{feed.name}: expected rows to look at, {sample.source_name} has none that are records ({sample.bad} are "
        f"none{''.join(f'; {rule}' for rule in sample.bad_rules)}). Ask the department for a delivery with rows.",
        f"{sample.source_name} 没有可用的数据行，请补充后重新提交",
    )


def _describe(column: ColumnProfile) -> str:
    shares = {pattern: column.share(pattern) for pattern in (*column.patterns, "date")}
    matched = [f"{int(share * 100)}% {pattern}" for pattern, share in shares.items() if share >= _SHOWN_SHARE]
    forms = "/".join(column.date_forms)
    filled = f"{column.filled} of {column.rows} filled, {column.distinct} different"
    return "; ".join([filled, *matched, *([f"written {forms}"] if forms else [])])


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else "�" for char in text)
