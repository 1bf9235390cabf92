-- Problem records that a filter lets through, the newest first; the columns are those that a page shows.
-- The numbers of all are found first, mostly in an index alone, so that no page of theirs is far away.
with chosen as materialized (
    select q.problem_id
    from ({chosen}) as q
),

page as (
    select problem_id
    from chosen
    order by problem_id desc
    limit
        %(limit)s
        offset %(skipped)s
)

select
    q.problem_id,
    q.department,
    q.feed,
    q.dataset,
    q.license_type,
    q.record_key,
    q.rules,
    q.reasons,
    q.payload,
    q.payload_bytes,
    q.payload_length,
    q.status,
    q.solution,
    q.replaced_by_problem_id,
    q.attempts,
    q.times_seen,
    q.first_batch_id,
    q.last_batch_id,
    q.last_row_no,
    q.corrected_by_batch_id,
    q.first_opened_at,
    q.opened_at,
    q.return_id,
    q.due_on,
    q.waived_until,
    q.solved_at,
    q.closed_at
from page as p
inner join quarantine.problem_row as q on p.problem_id = q.problem_id
order by q.problem_id desc
