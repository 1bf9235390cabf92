select
    q.feed,
    count(*) as problems
from quarantine.problem_event as e
inner join quarantine.problem_row as q on e.problem_id = q.problem_id
where e.return_id = %(return_id)s and e.event = 'returned'
group by q.feed
order by q.feed
