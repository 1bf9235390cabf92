-- How many problem records there are, by department, feed and state; and how many are past their term.
select
    q.department,
    q.feed,
    q.status,
    count(*) as number,
    count(*) filter (where q.status = 'returned' and q.due_on < %(today)s::date) as overdue,
    min(q.first_opened_at) filter (where q.status in ('open', 'returned')) as oldest
from quarantine.problem_row as q
group by q.department, q.feed, q.status
order by q.department asc, q.feed asc, q.status asc
