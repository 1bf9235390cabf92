select
    decision,
    decided_by,
    reason,
    decided_at
from ledger.decision
where batch_id = %(batch_id)s
order by decision_id
