-- The department's own columns of the problems of a return, in the order in which they were delivered.
select k.column_name
from quarantine.problem_event as e
inner join quarantine.problem_row as q on e.problem_id = q.problem_id
inner join ledger.batch as b on q.last_batch_id = b.batch_id
cross join lateral jsonb_object_keys(q.payload) as k (column_name)
where e.return_id = %(return_id)s and e.event = 'returned' and q.feed = %(feed)s and q.payload is not null
group by k.column_name
order by min(coalesce(array_position(b.columns, k.column_name), 1000)) asc, k.column_name asc
