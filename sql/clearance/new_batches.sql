-- Loaded batches of cases and evaluations that the kept state does not know yet.
select b.batch_id
from ledger.batch as b
where
    b.dataset in ('service_case', 'evaluation') and b.status = 'loaded'
    and not exists (
        select from clearance.applied_batch as a
        where a.batch_id = b.batch_id
    )
order by b.batch_id
