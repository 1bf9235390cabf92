-- Wrong rows that were replaced by a newer wrong row whose problem is unsolved still: how many, and the deliveries that
-- have them. A row that was redriven and is wrong in another way now is no older one.
with recursive behind as (
    select
        q.problem_id,
        q.last_batch_id,
        coalesce(b.redrives_batch_id, b.batch_id) as unsolved_in
    from quarantine.problem_row as q
    inner join ledger.batch as b on q.last_batch_id = b.batch_id
    where
        q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
        and (%(problem_ids)s::bigint[] is null or q.problem_id = any(%(problem_ids)s::bigint[]))
    union all
    select
        q.problem_id,
        q.last_batch_id,
        n.unsolved_in
    from behind as n
    inner join quarantine.problem_row as q on n.problem_id = q.replaced_by_problem_id
    where q.department = %(department)s and q.feed = %(feed)s and q.solution = 'replaced'
),

came_in as (
    select
        q.unsolved_in,
        coalesce(b.redrives_batch_id, b.batch_id) as batch_id
    from behind as q
    inner join ledger.batch as b on q.last_batch_id = b.batch_id
    where b.origin <> 'reconciliation'
)

select
    count(*) as number,
    array_agg(distinct batch_id order by batch_id) as batches
from came_in
where batch_id <> unsolved_in
