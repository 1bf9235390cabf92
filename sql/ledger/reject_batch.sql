update ledger.batch
set
    status = 'rejected',
    rule_id = %(rule_id)s,
    reason = %(reason)s,
    detail = %(detail)s,
    finished_at = clock_timestamp()
where batch_id = %(batch_id)s
returning *
