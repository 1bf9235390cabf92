"""The problem records of a night with their wrong columns and values, masked, as the validation report shows them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any

from psycopg.rows import dict_row

from zhengku.catalog import Catalog, Feed
from zhengku.catalog.record_masks import Mask, delivered_code_type, payload_masks
from zhengku.errors import CatalogError
from zhengku.ledger import Connection
from zhengku.masking import mask_text, mask_unknown
from zhengku.review.problems import ProblemFilter, filtered_statement
from zhengku.settings import Settings
from zhengku.validate.guidance import wrong_columns
from zhengku.validate.suites import Rule, load_suites

_ENTIRE_ROW = "（整行）"


@dataclass(frozen=True)
class NightProblem:
    """A problem record of a night, with the columns that are wrong and their values, masked."""

    problem_id: int
    department: str
    feed: str
    rules: list[str]
    reason: str
    columns: str
    values: str
    status: str
    attempts: int
    times_seen: int
    last_batch_id: int
    last_row_no: int
    first_opened_at: datetime


def night_problems(connection: Connection, settings: Settings, catalog: Catalog, night: date) -> Iterator[NightProblem]:
    """Yield the problem records of rows that were collected on a night, by feed, masked."""
    chosen = ProblemFilter(night=night)

    @cache
    def masker(department: str, feed_id: str) -> "_Masker":
        return _Masker(settings, catalog, department, feed_id)

    # Read in blocks: there may be a hundred thousand rows.
    with connection.cursor("night_problems", row_factory=dict_row) as cursor:
        cursor.itersize = 5_000
        cursor.execute(filtered_statement("review/night.night_problems", chosen), chosen.parameters())
        for row in cursor:
            columns, values = masker(row["department"], row["feed"]).shown(row)
            yield NightProblem(
                problem_id=row["problem_id"],
                department=row["department"],
                feed=row["feed"],
                rules=row["rules"],
                reason="；".join(row["reasons"]),
                columns=columns,
                values=values,
                status=row["status"],
                attempts=row["attempts"],
                times_seen=row["times_seen"],
                last_batch_id=row["last_batch_id"],
                last_row_no=row["last_row_no"],
                first_opened_at=row["first_opened_at"],
            )


class _Masker:
    """Shows of a feed's wrong rows the columns that their failed rules check, masked."""

    def __init__(self, settings: Settings, catalog: Catalog, department: str, feed_id: str) -> None:
        self._columns: dict[str, tuple[str, ...]] = {}
        self._catalog = catalog
        self._feed: Feed | None = None
        self._masks: dict[str | None, dict[str, Mask]] = {}
        try:
            feed = self._feed = catalog.feed(department, feed_id)
        except CatalogError:
            # The meaning of the columns of a feed that is no longer in the catalogue is unknown.
            return
        suites = load_suites(settings.suite_folder, feed.suites)
        rules: dict[str, Rule] = {rule.rule_id: rule for suite in suites for rule in suite.rules}
        self._columns = {rule_id: wrong_columns(rule_id, feed, rules) for rule_id in rules}

    def shown(self, row: Mapping[str, Any]) -> tuple[str, str]:
        """Return the names of the wrong columns of a row, and their masked values."""
        payload = row["payload"]
        if payload is None:
            return _ENTIRE_ROW, f"＊（{row['payload_length']}字节）"
        masks = self._masks_of(payload)
        names = list(dict.fromkeys(name for rule in row["rules"] for name in self._columns.get(rule, ())))
        values = [
            "（空）" if not (value := payload.get(name)) else mask_text(masks.get(name, mask_unknown)(value))
            for name in names
        ]
        return mask_text("、".join(names)) or _ENTIRE_ROW, "；".join(values)

    def _masks_of(self, payload: Mapping[str, str | None]) -> dict[str, Mask]:
        if self._feed is None:
            return {}
        code_type = delivered_code_type(self._feed, payload)
        if code_type not in self._masks:
            self._masks[code_type] = payload_masks(self._feed, self._catalog, code_type)
        return self._masks[code_type]
