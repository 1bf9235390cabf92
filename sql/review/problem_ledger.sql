-- name: entries
select *
from review.ledger_entry
where
    (not %(standing)s or written_off_on is null)
    and (%(entry_no)s::text is null or entry_no = %(entry_no)s)
order by written_off_on asc nulls first, entry_id desc;

-- name: standing_entries
select *
from review.ledger_entry
where written_off_on is null
order by entry_id;

-- name: open_entry
insert into review.ledger_entry (entry_no, kind, department, feed, description, opened_on, updated_on)
values (
    (
        select
            %(year)s || '-'
            || lpad((greatest(max(e.number), ledger.highest_given('ledger_entry', %(year)s)) + 1)::text, 4, '0')
        from (
            select split_part(entry_no, '-', 2)::integer as number
            from review.ledger_entry
            where entry_no like %(year)s || '-%%'
        ) as e
    ),
    %(kind)s,
    %(department)s,
    %(feed)s,
    %(description)s,
    %(day)s,
    %(day)s
)
returning entry_no;

-- name: describe_entry
update review.ledger_entry
set
    description = %(description)s,
    updated_on = %(day)s
where entry_id = %(entry_id)s;

-- name: notify_entry
-- 通报: the department was notified of a persistent problem.
select review.record_notification(%(entry_no)s, %(notified_by)s, %(day)s) as entries;

-- name: write_off_entry
update review.ledger_entry
set
    written_off_on = %(day)s,
    evidence = %(evidence)s,
    updated_on = %(day)s
where entry_id = %(entry_id)s;

-- name: problem_shares
-- The share of each department's rows in seven nights that was quarantined.
select
    department,
    sum(fetched) as fetched,
    sum(quarantined) as quarantined
from ledger.batch
where
    origin = 'delivery' and status = 'loaded'
    and recorded_at >= %(begin)s and recorded_at < %(night_end)s
group by department
having sum(fetched) >= %(rows)s and sum(quarantined) > %(share)s * sum(fetched)
order by department;
