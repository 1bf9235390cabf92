-- Returns, the newest first, with what became of their problems since.
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
limit %(limit)s
