-- How many of these are unsolved records of a comparison, and from when to when their differences are.
select
    count(*) as problems,
    min(least(d.source_at, d.store_at)) as since,
    max(greatest(d.source_at, d.store_at)) as until
from quarantine.problem_row as q
inner join reconciliation.difference as d on q.problem_id = d.problem_id and d.settled_at is null
where
    q.department = %(department)s and q.feed = %(feed)s
    and q.problem_id = any(%(problem_ids)s::bigint[]) and q.status in ('open', 'returned', 'waived')
