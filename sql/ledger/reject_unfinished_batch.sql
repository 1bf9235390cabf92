-- A person gives a batch back that is not loaded; why it was held stays.
update ledger.batch
set
    status = 'rejected',
    held = 0,
    rule_id = coalesce(rule_id, %(rule_id)s),
    reason = coalesce(reason, %(reason)s),
    detail = coalesce(detail, %(detail)s),
    finished_at = clock_timestamp()
where batch_id = %(batch_id)s and status in ('landed', 'staged', 'validated', 'held')
returning *
