-- Which rows of the delivery bear the row ids of problems that were no records.
insert into problem_source_row (problem_id, row_no)
select
    q.problem_id,
    t.row_no
from unnest(%(problems)s::bigint[], %(ids)s::jsonb[]) as q (problem_id, ids)
inner join text_row as t on q.ids = {ids}
