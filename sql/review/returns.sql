-- name: begin_return
insert into quarantine.problem_return (department, made_by, request_id, due_on)
values (%(department)s, %(made_by)s, %(request_id)s, %(due_on)s)
returning return_id;

-- name: return_open
-- Open problem records of a department become part of a return: those that are named, or all.
with returned as (
    update quarantine.problem_row
    set
        status = 'returned',
        return_id = %(return_id)s,
        due_on = %(due_on)s,
        updated_at = now()
    where
        department = %(department)s and status = 'open'
        and (%(problem_ids)s::bigint[] is null or problem_id = any(%(problem_ids)s::bigint[]))
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event, done_by, reason, return_id)
select
    problem_id,
    'returned',
    %(made_by)s,
    %(reason)s,
    %(return_id)s
from returned;

-- name: count_return
update quarantine.problem_return
set problems = %(problems)s
where return_id = %(return_id)s;

-- name: returned_feeds
select
    q.feed,
    count(*) as problems
from quarantine.problem_event as e
inner join quarantine.problem_row as q on e.problem_id = q.problem_id
where e.return_id = %(return_id)s and e.event = 'returned'
group by q.feed
order by q.feed;

-- name: returned_problems
-- The problem records of a return, by feed, for its files; each stays part of the return whatever happens to it later.
select
    q.problem_id,
    q.feed,
    q.rules,
    q.reasons,
    q.payload,
    q.payload_bytes,
    q.payload_length,
    q.attempts,
    q.first_opened_at,
    q.last_row_no,
    b.source_name
from quarantine.problem_event as e
inner join quarantine.problem_row as q on e.problem_id = q.problem_id
inner join ledger.batch as b on q.last_batch_id = b.batch_id
where e.return_id = %(return_id)s and e.event = 'returned' and q.feed = %(feed)s
order by q.problem_id;

-- name: returned_columns
-- The department's own columns of the problem records of a return, in the order of delivery.
select k.column_name
from quarantine.problem_event as e
inner join quarantine.problem_row as q on e.problem_id = q.problem_id
inner join ledger.batch as b on q.last_batch_id = b.batch_id
cross join lateral jsonb_object_keys(q.payload) as k (column_name)
where e.return_id = %(return_id)s and e.event = 'returned' and q.feed = %(feed)s and q.payload is not null
group by k.column_name
order by min(coalesce(array_position(b.columns, k.column_name), 1000)) asc, k.column_name asc;

-- name: finish_return
update quarantine.problem_return
set files = %(files)s
where return_id = %(return_id)s;

-- name: returns
-- Returns, the newest first, with the present state of their problem records.
select
    r.return_id,
    r.department,
    r.made_at,
    r.made_by,
    r.due_on,
    r.problems,
    r.files,
    counted.waiting,
    counted.waived,
    counted.solved
from quarantine.problem_return as r
cross join
    lateral (
        select
            count(*) filter (where q.status = 'returned') as waiting,
            count(*) filter (where q.status = 'waived') as waived,
            count(*) filter (where q.solution is not null) as solved
        from quarantine.problem_row as q
        where q.return_id = r.return_id
    ) as counted
where
    (%(return_id)s::bigint is null or r.return_id = %(return_id)s)
    and (%(department)s::text is null or r.department = %(department)s)
    and (not %(unwritten)s or r.files is null)
order by r.return_id desc
limit %(limit)s;

-- name: record_hand_over
insert into quarantine.hand_over (return_id, channel, item, handed_over_by, sha256)
values (%(return_id)s, %(channel)s, %(item)s, 'zhengku', %(sha256)s);

-- name: record_download
select quarantine.record_download(%(return_id)s, %(item)s, %(handed_over_by)s, %(sha256)s);

-- name: hand_overs
select
    channel,
    item,
    handed_over_by,
    handed_over_at
from quarantine.hand_over
where return_id = %(return_id)s
order by hand_over_id;
