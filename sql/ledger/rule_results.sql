select
    rule_id,
    severity,
    failed_rows,
    skipped
from ledger.rule_result
where batch_id = %(batch_id)s
order by failed_rows desc, rule_id asc
