-- Which rows of the delivery are those of which a problem is unsolved, by the row id of the source.
create unlogged table problem_source_row with (autovacuum_enabled = off) as
select
    q.problem_id,
    t.row_no
from quarantine.problem_row as q
inner join text_row as t on {same}
where
    q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
    and q.payload is not null
