"""The step validate: checks a staged batch against its feed's suites, and marks the rows that fail."""

import logging
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal

from psycopg.rows import dict_row

from zhengku import clock, ledger
from zhengku.catalog import Feed
from zhengku.database import batch_schema, statement, use_batch_schema
from zhengku.installation import Installation
from zhengku.ledger import WARNED_ROWS, Batch, RuleResult
from zhengku.load.merge import hold
from zhengku.validate.run import ValidationOutcome
from zhengku.validate.staged_batch import RowsOutcome, StagedBatch
from zhengku.validate.suites import BATCH_SUITE, load_suites

log = logging.getLogger(__name__)


def validate_batch(connection: ledger.Connection, batch: Batch, feed: Feed, installation: Installation) -> Batch:
    """Check a staged batch, record the results, and hold the batch where a critical batch rule fails."""
    settings = installation.settings
    schema = batch_schema(batch.batch_id)
    staged = StagedBatch(settings.database_url, schema, batch, feed, installation.catalog, clock.today())
    rows = staged.validate(connection, load_suites(settings.suite_folder, feed.suites))
    unreadable = dict(connection.execute(statement("validate/outcome.unreadable_by_rule")).fetchall())
    # Recognised rows fail the rules that they failed when they were validated.
    failed = Counter(rows.failed_rows)
    failed.update(dict(connection.execute(statement("validate/outcome.recognised_warnings")).fetchall()))
    summary = staged.validate_summary(connection, load_suites(settings.suite_folder, [BATCH_SUITE]))
    ledger.record_rule_results(connection, batch.batch_id, _results(unreadable, rows, failed, summary))
    holding = [rule.rule_id for rule in summary.failed if rule.severity == "critical"]
    if holding and batch.released_by is None:
        reason = installation.reasons(batch.department)[holding[0]]
        detail = f"{batch.source_name}: {', '.join(holding)}: {_summary_text(connection, batch.batch_id)}"
        log.info("Batch %d is held: %s", batch.batch_id, detail)
        return hold(connection, batch, holding[0], reason, detail)
    use_batch_schema(connection, batch.batch_id)
    connection.execute(statement("validate/outcome.record_validated"), {"batch_id": batch.batch_id})
    connection.execute(statement("validate/outcome.keep_failed_text"))
    connection.execute("drop table text_row")
    warned = [rule.rule_id for rule in rows.rules if rule.severity != "critical" and failed[rule.rule_id]]
    if warned:
        connection.execute(
            statement("validate/outcome.keep_warned"),
            {"batch_id": batch.batch_id, "rules": warned, "most": WARNED_ROWS},
        )
    return ledger.batch_by_id(connection, batch.batch_id)


def _results(
    unreadable: Mapping[str, int], rows: RowsOutcome, failed: Mapping[str, int], summary: ValidationOutcome
) -> list[RuleResult]:
    """Return the results of all rules: of reading the rows, row rules, and batch rules."""
    return [
        *(RuleResult(rule_id, "critical", count, skipped=False) for rule_id, count in unreadable.items()),
        *(RuleResult(rule.rule_id, rule.severity, failed[rule.rule_id], rule.success is None) for rule in rows.rules),
        *(
            RuleResult(rule.rule_id, rule.severity, int(rule.success is False), rule.success is None)
            for rule in summary.rules
        ),
    ]


def _summary_text(connection: ledger.Connection, batch_id: int) -> str:
    """Return the figures that the batch rules checked, for the engineer."""
    use_batch_schema(connection, batch_id)
    with connection.cursor(row_factory=dict_row) as cursor:
        summary = cursor.execute("select * from batch_summary").fetchone()
    assert summary is not None
    return ", ".join(
        f"{name} {value:.4g}" if isinstance(value, Decimal) else f"{name} {value}"
        for name, value in summary.items()
        if value is not None
    )
