delete from ledger.rule_result
where batch_id = %(batch_id)s
