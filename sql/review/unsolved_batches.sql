-- The batches whose rows are unsolved problems of a feed, with how many of these have no columns. What a
-- reconciliation found has no row to go the road again: `zhengku reconcile --mend` collects it.
select
    b.batch_id,
    b.origin,
    count(*) as problems,
    count(*) filter (where q.payload is null) as unreadable
from quarantine.problem_row as q
inner join ledger.batch as b on q.last_batch_id = b.batch_id
where
    q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
    and b.origin <> 'reconciliation'
    and (%(problem_ids)s::bigint[] is null or q.problem_id = any(%(problem_ids)s::bigint[]))
group by b.batch_id, b.origin
order by b.batch_id
