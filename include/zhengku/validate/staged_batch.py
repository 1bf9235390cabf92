"""Checks a staged batch: row rules first, whose failing rows are marked, then batch rules.

Importing this imports Great Expectations, which takes seconds.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from zhengku.catalog import Catalog, Feed
from zhengku.database import statement, use_schema
from zhengku.ledger import Batch
from zhengku.load.repeated import find_repeated_of_batch
from zhengku.validate.marks import mark_rows
from zhengku.validate.parameters import rule_parameters
from zhengku.validate.run import RuleOutcome, ValidationOutcome, validate_rows
from zhengku.validate.suites import Suite, rules_for_deletes, rules_for_upserts


@dataclass(frozen=True)
class RowsOutcome:
    """The outcomes of row rules, each rule once, and how many rows fail it (rows that delete included)."""

    rules: tuple[RuleOutcome, ...]
    failed_rows: Mapping[str, int]


@dataclass(frozen=True)
class StagedBatch:
    """A batch as it is staged in `schema`, which is committed; `on_day` is the day (Asia/Shanghai) of its rules.

    `url` is a SQLAlchemy address: Great Expectations reads the tables over a connection of its own.
    """

    url: str
    schema: str
    batch: Batch
    feed: Feed
    catalog: Catalog
    on_day: date

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of the parameters that suites name."""
        key = self.batch.license_type
        license_type = self.catalog.license_type(key) if key else None
        return rule_parameters(license_type, self.on_day, dated=self.feed.version == "source_updated_at")

    def validate(self, connection: psycopg.Connection[Any], suites: Sequence[Suite]) -> RowsOutcome:
        """Check every row and write the table `mark`, in the caller's transaction.

        Raises what `validate_rows` raises.
        """
        tables = ["staged_row"] if self.feed.operation is None else ["upserting_row", "deleting_row"]
        use_schema(connection, self.schema)
        filled = {table for table in tables if _has_rows(connection, table)}
        checked = {tables[0]: rules_for_upserts(suites)}
        if "deleting_row" in filled:
            checked["deleting_row"] = rules_for_deletes(suites)
        found = {
            table: self._check(table, _without(rules, _OF_SHARED_KEYS), is_empty=table not in filled)
            for table, rules in checked.items()
        }
        mark_rows(connection, self.schema, found)
        of_shared_keys = _only(checked[tables[0]], _OF_SHARED_KEYS)
        if of_shared_keys:
            is_shared = tables[0] in filled and _find_shared(connection)
            shared = self._check(tables[0], of_shared_keys, is_empty=not is_shared)
            found[tables[0]] = _merged(checked[tables[0]], found[tables[0]], shared)
            if is_shared:
                mark_rows(connection, self.schema, found)
        connection.execute("drop table if exists mark_count")
        connection.execute(statement("validate/staged_batch.count_marks"))
        failed_rows: Counter[str] = Counter()
        for outcome in found.values():
            failed_rows.update({rule.rule_id: rule.failed_rows for rule in outcome.failed})
        rules = {rule.rule_id: rule for outcome in found.values() for rule in outcome.rules}
        return RowsOutcome(tuple(rules.values()), failed_rows)

    def _check(self, table: str, suites: Sequence[Suite], *, is_empty: bool) -> ValidationOutcome:
        return validate_rows(
            self.url,
            self.schema,
            table,
            suites,
            self.parameters,
            self.feed.absent_fields,
            extension_fields=frozenset(self.feed.extension),
            is_empty=is_empty,
        )

    def validate_summary(self, connection: psycopg.Connection[Any], suites: Sequence[Suite]) -> ValidationOutcome:
        """Write `batch_summary` from the marks, commit, and check it with the batch rules.

        Raises what `validate_rows` raises.
        """
        use_schema(connection, self.schema)
        connection.execute("drop table if exists batch_summary")
        snapshots = self.feed.deliveries == "snapshots" and self.batch.origin == "delivery"
        connection.execute(
            statement("validate/staged_batch.batch_summary"), {"batch_id": self.batch.batch_id, "snapshots": snapshots}
        )
        connection.commit()
        return validate_rows(self.url, self.schema, "batch_summary", suites, self.parameters)


_OF_SHARED_KEYS = "expect_records_to_have_one_holder"
"""The expectation that is checked last: it leaves out rows that fail another critical rule."""


def _only(suites: Iterable[Suite], kind: str) -> list[Suite]:
    chosen = (replace(suite, rules=tuple(rule for rule in suite.rules if rule.type == kind)) for suite in suites)
    return [suite for suite in chosen if suite.rules]


def _without(suites: Iterable[Suite], kind: str) -> list[Suite]:
    return [replace(suite, rules=tuple(rule for rule in suite.rules if rule.type != kind)) for suite in suites]


def _merged(suites: Iterable[Suite], *outcomes: ValidationOutcome) -> ValidationOutcome:
    """Return the outcomes of rules that were checked separately, in the order of the suites."""
    found = {rule.rule_id: rule for outcome in outcomes for rule in outcome.rules}
    return ValidationOutcome(tuple(found[rule.rule_id] for suite in suites for rule in suite.rules))


def _find_shared(connection: psycopg.Connection[Any]) -> bool:
    """Write `shared_row`, commit it for Great Expectations' connection, and return whether it has rows."""
    schema = connection.execute("select current_schema()").fetchone()
    find_repeated_of_batch(connection)
    connection.execute("drop table if exists shared_row")
    connection.execute(statement("validate/staged_batch.shared_row"))
    is_shared = _has_rows(connection, "shared_row")
    if is_shared:
        assert schema is not None
        connection.commit()
        use_schema(connection, schema[0])
    return is_shared


def _has_rows(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute(statement("validate/staged_batch.has_rows").format(table=sql.Identifier(table))).fetchone()
    return row is not None and bool(row[0])
