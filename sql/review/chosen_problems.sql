-- Which problem records are meant, of all or of those of a night; a parameter that is null leaves all.
select q.*
from {problems} as q
where
    (%(problem_id)s::bigint is null or q.problem_id = %(problem_id)s)
    and (%(batch_id)s::bigint is null or %(batch_id)s in (q.first_batch_id, q.last_batch_id))
    and (%(department)s::text is null or q.department = %(department)s)
    and (%(feed)s::text is null or q.feed = %(feed)s)
    and (%(license_type)s::text is null or q.license_type = %(license_type)s)
    and (%(statuses)s::text[] is null or q.status = any(%(statuses)s::text[]))
    and (%(rule_id)s::text is null or q.rules @> array[%(rule_id)s::text])
    and (%(return_id)s::bigint is null or q.return_id = %(return_id)s)
    and (%(overdue_on)s::date is null or (q.status = 'returned' and q.due_on < %(overdue_on)s::date))
