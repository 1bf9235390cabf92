"""A made-up delivery with every kind of dirt: the store, the quarantine and the ledger equal the simulator's truth."""

from collections import Counter

import pytest

from simulator.business_licenses import write_file_drop


@pytest.mark.parametrize("seed", [1, 2])
def test_store_quarantine_and_ledger_equal_the_truth_row_by_row(installation, seed):
    truth = write_file_drop(installation.drop.parent, 400, seed, with_rejected=True)
    batches = installation.run("night")
    assert [batch.source_name for batch in batches] == [file.name for file in truth.files]
    for batch, file in zip(batches, truth.files, strict=True):
        if file.rejected_by:
            assert (batch.status, batch.rule_id) == ("rejected", file.rejected_by)
            continue
        assert batch.fetched == file.fetched
        assert {name: count for name, count in batch.counts().items() if count and name != "fetched"} == file.fates
        found = {
            line: tuple(sorted(rules))
            for line, rules in installation.query(
                "select first_row_no, rules from quarantine.problem_row where first_batch_id = %s", batch.batch_id
            )
        }
        assert found == {row.line: tuple(sorted(row.rules)) for row in file.rows if row.fate == "quarantined"}
        stored = {
            line
            for (line,) in installation.query(
                "select row_no from store.certificate where batch_id = %s"
                " union all select row_no from store.certificate_history where batch_id = %s",
                batch.batch_id,
                batch.batch_id,
            )
        }
        assert stored == {row.line for row in file.rows if row.fate in ("inserted", "updated")}
        warned = {
            rule: count
            for rule, severity, count in installation.query(
                "select rule_id, severity, failed_rows from ledger.rule_result where batch_id = %s", batch.batch_id
            )
            if count and severity != "critical" and not rule.startswith("batch.")
        }
        assert warned == Counter(rule for row in file.rows for rule in row.warnings)
