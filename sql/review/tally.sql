-- How many problem records there are, by department, feed and state; how many are past their term or near it, and how
-- many wait too long to be returned.
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
order by q.department asc, q.feed asc, q.status asc
