-- name: problem_source_row
-- Which rows of the delivery have an unsolved problem record, by the row id of the source.
create unlogged table problem_source_row with (autovacuum_enabled = off) as
select
    q.problem_id,
    t.row_no
from quarantine.problem_row as q
inner join text_row as t on {same}
where
    q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
    and q.payload is not null;

-- name: torn_problems
-- Unsolved problem records of a feed whose row could not be read: the bytes as received.
select
    problem_id,
    payload_bytes
from quarantine.problem_row
where
    department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
    and payload is null;

-- name: source_rows_of_torn
-- Which rows of the delivery have the row ids of problem records whose row could not be read.
insert into problem_source_row (problem_id, row_no)
select
    q.problem_id,
    t.row_no
from unnest(%(problems)s::bigint[], %(ids)s::jsonb[]) as q (problem_id, ids)
inner join text_row as t on q.ids = {ids};
