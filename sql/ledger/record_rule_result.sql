insert into ledger.rule_result (batch_id, rule_id, severity, failed_rows, skipped)
values (%(batch_id)s, %(rule_id)s, %(severity)s, %(failed_rows)s, %(skipped)s)
