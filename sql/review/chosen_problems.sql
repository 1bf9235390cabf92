-- Which problem records are meant; a parameter that is null leaves all. Of a night: those that stood in what was
-- collected then.
select q.*
from quarantine.problem_row as q
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
    and (
        %(night_begin)s::timestamptz is null
        or exists (
            select
            from ledger.batch as b
            where
                b.department = q.department and b.feed = q.feed
                and b.recorded_at >= %(night_begin)s::timestamptz and b.recorded_at < %(night_end)s::timestamptz
                and coalesce(b.repeats_batch_id, b.batch_id) between q.first_batch_id and q.last_batch_id
        )
    )
