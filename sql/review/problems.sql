-- name: chosen_problems
-- Conditions for problem records, of all or of those of a night; a parameter that is null selects all.
select q.*
from {problems} as q
where
    (%(problem_id)s::bigint is null or q.problem_id = %(problem_id)s)
    and (%(batch_id)s::bigint is null or %(batch_id)s in (q.first_batch_id, q.last_batch_id))
    and (%(department)s::text is null or q.department = %(department)s)
    and (%(feed)s::text is null or q.feed = %(feed)s)
    and (%(license_type)s::text is null or q.license_type = %(license_type)s)
    and (%(statuses)s::text[] is null or q.status = any(%(statuses)s::text[]))
    and (%(rule_id)s::text is null or q.rules @> array[%(rule_id)s::text])
    and (%(return_id)s::bigint is null or q.return_id = %(return_id)s)
    and (%(overdue_on)s::date is null or (q.status = 'returned' and q.due_on < %(overdue_on)s::date));

-- name: stood_in_night
-- The problem records found in the deliveries of a night.
select p.*
from quarantine.problem_row as p
where exists (
        select
        from ledger.batch as b
        where
            b.department = p.department and b.feed = p.feed and b.origin = 'delivery'
            and b.recorded_at >= %(night_begin)s::timestamptz and b.recorded_at < %(night_end)s::timestamptz
            and coalesce(b.repeats_batch_id, b.batch_id) between p.first_batch_id and p.last_batch_id
    );

-- name: problems
-- Problem records that match a filter, the newest first; the columns are those that a page shows.
-- Their numbers are selected first, mostly by an index-only scan, so that a page far down is fast too.
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
order by q.problem_id desc;

-- name: count_problems
select count(q.problem_id)
from ({chosen}) as q;

-- name: tally
-- The number of problem records, by department, feed and state; how many are past their term or near it, and how many
-- wait too long to be returned.
select
    q.department,
    q.feed,
    q.status,
    count(*) as number,
    count(*) filter (where q.status = 'returned' and q.due_on < %(today)s::date) as overdue,
    count(*) filter (
        where q.status = 'returned' and q.due_on between %(today)s::date and %(due_soon_until)s::date
    ) as due_soon,
    count(*) filter (where q.status = 'open' and q.opened_at < %(return_before)s) as unreturned,
    min(q.first_opened_at) filter (where q.status in ('open', 'returned')) as oldest
from quarantine.problem_row as q
group by q.department, q.feed, q.status
order by q.department asc, q.feed asc, q.status asc;

-- name: rules_of
-- The rules of unsolved problem records, the most frequent first.
select
    r.rule_id,
    count(*) as number
from quarantine.problem_row as q
cross join lateral unnest(q.rules) as r (rule_id)
where
    (%(department)s::text is null or q.department = %(department)s)
    and (%(feed)s::text is null or q.feed = %(feed)s)
    and q.status in ('open', 'returned', 'waived')
group by r.rule_id
order by number desc, r.rule_id asc;

-- name: events
select
    event,
    happened_at,
    done_by,
    reason,
    batch_id,
    return_id,
    until_on
from quarantine.problem_event
where problem_id = %(problem_id)s
order by event_id;

-- name: unknown
-- The numbers for which there is no problem record.
select asked.problem_id
from unnest(%(problem_ids)s::bigint[]) as asked (problem_id)
where
    not exists (
        select from quarantine.problem_row as q
        where q.problem_id = asked.problem_id
    )
order by asked.problem_id;

-- name: waive
select quarantine.waive(%(problem_ids)s::bigint[], %(done_by)s, %(reason)s, %(until_on)s::date);

-- name: end_waivers
-- A waiver that ended without a correction of the record: the problem record is open again.
with ended as (
    update quarantine.problem_row
    set
        status = 'open',
        waived_until = null,
        return_id = null,
        due_on = null,
        updated_at = now()
    where status = 'waived' and waived_until < %(today)s::date
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event)
select
    problem_id,
    'waiver_ended'
from ended;

-- name: close
-- Written off by a person: corrected records, and records that are waived for good.
select quarantine.write_off(%(problem_ids)s::bigint[], %(done_by)s, %(reason)s);

-- name: close_corrected
-- Written off by the pipeline: records that were corrected before a moment.
with closed as (
    update quarantine.problem_row
    set
        status = 'closed',
        closed_at = now(),
        updated_at = now()
    where status = 'corrected' and solved_at < %(solved_before)s
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event)
select
    problem_id,
    'closed'
from closed;
