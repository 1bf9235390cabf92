-- name: unsolved_batches
-- The batches whose rows are unsolved problem records of a feed, with the number of these without columns. Differences
-- of a reconciliation have no row to process again: `zhengku reconcile --fix` collects them.
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
order by b.batch_id;

-- name: unsolved_payloads
select
    problem_id,
    payload
from quarantine.problem_row
where
    department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
    and last_batch_id = %(batch_id)s and payload is not null
    and (%(problem_ids)s::bigint[] is null or problem_id = any(%(problem_ids)s::bigint[]))
order by last_row_no asc, problem_id asc;

-- name: replaced_batches
-- Wrong rows that were replaced by a newer wrong row with an unsolved problem record: how many, and the deliveries that
-- contain them. A redriven row that is wrong in another way now does not count as older.
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
where batch_id <> unsolved_in;

-- name: redriven_events
insert into quarantine.problem_event (problem_id, event, done_by, reason, batch_id)
select
    problem_id,
    'redriven',
    %(done_by)s,
    %(reason)s,
    %(batch_id)s
from quarantine.redriven_row
where batch_id = %(batch_id)s;
