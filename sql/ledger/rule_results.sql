-- name: forget_rule_results
delete from ledger.rule_result
where batch_id = %(batch_id)s;

-- name: record_rule_result
insert into ledger.rule_result (batch_id, rule_id, severity, failed_rows, skipped)
values (%(batch_id)s, %(rule_id)s, %(severity)s, %(failed_rows)s, %(skipped)s);

-- name: rule_results
select
    rule_id,
    severity,
    failed_rows,
    skipped
from ledger.rule_result
where batch_id = %(batch_id)s
order by failed_rows desc, rule_id asc;

-- name: problem_rows
select *
from quarantine.problem_row
where %(batch_id)s in (first_batch_id, last_batch_id)
order by last_batch_id desc, last_row_no asc
limit %(limit)s;
