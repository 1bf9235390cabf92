-- The rules by which unsolved problems stand, most first.
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
order by number desc, r.rule_id asc
