insert into ledger.rule_result (batch_id, rule_id, severity, failed_rows, skipped)
select
    %(batch_id)s,
    rule_id,
    severity,
    failed_rows,
    skipped
from ledger.rule_result
where batch_id = %(from_batch_id)s
