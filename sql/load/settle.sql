-- name: settle
-- The effects of a batch on the unsolved problem records of its feed. A record that is right later, or further down in
-- the same delivery, is corrected; a row that deletes it makes it deleted. A record that is wrong in another way is
-- replaced by the new problem record, which inherits the time of the first.
with redriven as (
    -- For a redriven row it is known which problem record it was; another row of the same record is treated separately.
    select
        problem_id,
        row_no
    from quarantine.redriven_row
    where batch_id = %(batch_id)s
),

told as (
    select
        q.problem_id,
        case when c.removes then 'deleted' else 'corrected' end as solution,
        null::bigint as replaced_by
    from staged_row as c
    left join outcome as o on c.row_no = o.row_no
    inner join quarantine.problem_row as q on c.record_key = q.record_key
    inner join ledger.batch as b on q.last_batch_id = b.batch_id
    where
        q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
        -- Rows that are processed again keep their time.
        and (
            q.version_at < c.version_at
            or (
                q.version_at = c.version_at and q.last_batch_id < %(batch_id)s and b.landed_at <= %(landed_at)s
            )
        )
        and coalesce(o.outcome, 'inserted') in ('inserted', 'updated', 'unchanged', 'deleted')
        and q.problem_id not in (select r.problem_id from redriven as r)
    union all
    select
        q.problem_id,
        'replaced' as solution,
        n.problem_id as replaced_by
    from quarantine.problem_row as n
    inner join quarantine.problem_row as q on n.record_key = q.record_key
    inner join ledger.batch as b on q.last_batch_id = b.batch_id
    where
        n.last_batch_id = %(batch_id)s and n.status in ('open', 'returned', 'waived')
        and q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
        and q.last_batch_id < %(batch_id)s and b.landed_at <= %(landed_at)s
        and (q.version_at <= n.version_at or q.version_at is null or n.version_at is null)
        and q.problem_id not in (select r.problem_id from redriven as r)
    union all
    -- A row that was corrected in place is known by its row id: it had no key, or another one.
    select
        q.problem_id,
        case
            when n.problem_id is not null then 'replaced'
            when c.removes then 'deleted'
            else 'corrected'
        end as solution,
        n.problem_id as replaced_by
    from problem_source_row as p
    inner join quarantine.problem_row as q on p.problem_id = q.problem_id
    inner join ledger.batch as b on q.last_batch_id = b.batch_id
    left join staged_row as c on p.row_no = c.row_no
    left join recognised_row as k on p.row_no = k.row_no
    left join outcome as o on p.row_no = o.row_no
    left join quarantine.problem_row as n
        on
            p.row_no = n.last_row_no and n.last_batch_id = %(batch_id)s
            and n.status in ('open', 'returned', 'waived') and q.problem_id <> n.problem_id
    where
        q.status in ('open', 'returned', 'waived')
        and q.last_batch_id < %(batch_id)s and b.landed_at <= %(landed_at)s
        and (q.version_at is null or c.version_at is null or q.version_at <= c.version_at)
        and (q.record_key is null or q.record_key is distinct from coalesce(c.record_key, k.record_key))
        and (
            n.problem_id is not null
            or k.row_no is not null
            or (
                c.row_no is not null
                and coalesce(o.outcome, 'inserted')
                in ('inserted', 'updated', 'unchanged', 'deleted', 'superseded', 'duplicate')
            )
        )
        and q.problem_id not in (select r.problem_id from redriven as r)
    union all
    select
        r.problem_id,
        case
            when n.problem_id is not null then 'replaced'
            when c.removes then 'deleted'
            else 'corrected'
        end as solution,
        n.problem_id as replaced_by
    from redriven as r
    left join staged_row as c on r.row_no = c.row_no
    left join outcome as o on r.row_no = o.row_no
    left join quarantine.problem_row as n on n.first_batch_id = %(batch_id)s and r.row_no = n.first_row_no
    where
        (
            c.row_no is not null
            and coalesce(o.outcome, 'inserted')
            in ('inserted', 'updated', 'unchanged', 'deleted', 'superseded', 'duplicate')
        )
        or n.problem_id is not null
),

settled as (
    update quarantine.problem_row as q
    set
        status = case when t.solution = 'corrected' then 'corrected' else 'closed' end,
        solution = t.solution,
        corrected_by_batch_id = %(batch_id)s,
        replaced_by_problem_id = t.replaced_by,
        solved_at = now(),
        closed_at = case when t.solution <> 'corrected' then now() end,
        updated_at = now()
    from (
        -- In alphabetical order: a record that was right and wrong at once counts as corrected first.
        select distinct on (problem_id) *
        from told
        order by problem_id asc, solution asc, replaced_by desc
    ) as t
    where q.problem_id = t.problem_id and q.status in ('open', 'returned', 'waived')
    returning
        q.problem_id,
        q.solution,
        q.replaced_by_problem_id,
        q.first_opened_at,
        q.attempts
),

told_of as (
    insert into quarantine.problem_event (problem_id, event, batch_id)
    select
        problem_id,
        solution,
        %(batch_id)s
    from settled
)

update quarantine.problem_row as n
set
    first_opened_at = least(n.first_opened_at, s.first_opened_at),
    attempts = greatest(n.attempts, s.attempts + 1)
from (
    select
        replaced_by_problem_id,
        min(first_opened_at) as first_opened_at,
        max(attempts) as attempts
    from settled
    where replaced_by_problem_id is not null
    group by replaced_by_problem_id
) as s
where n.problem_id = s.replaced_by_problem_id;
