-- name: decisions
select
    decision,
    decided_by,
    reason,
    decided_at
from ledger.decision
where batch_id = %(batch_id)s
order by decision_id;

-- name: record_decision
insert into ledger.decision (batch_id, decision, decided_by, reason)
values (%(batch_id)s, %(decision)s, %(decided_by)s, %(reason)s);

-- name: release_batch
-- A person releases a held batch; it is staged and validated again and its batch rules no longer hold it.
update ledger.batch
set
    status = 'landed',
    held = 0,
    released_by = %(released_by)s,
    release_reason = %(reason)s,
    finished_at = null
where batch_id = %(batch_id)s and status = 'held';

-- name: reject_batch
update ledger.batch
set
    status = 'rejected',
    rule_id = %(rule_id)s,
    reason = %(reason)s,
    detail = %(detail)s,
    finished_at = clock_timestamp()
where batch_id = %(batch_id)s
returning *;

-- name: reject_unfinished_batch
-- A person rejects a batch that is not loaded; the reason for which it was held stays recorded.
update ledger.batch
set
    status = 'rejected',
    held = 0,
    rule_id = coalesce(rule_id, %(rule_id)s),
    reason = coalesce(reason, %(reason)s),
    detail = coalesce(detail, %(detail)s),
    finished_at = clock_timestamp()
where batch_id = %(batch_id)s and status in ('landed', 'staged', 'validated', 'held')
returning *;
