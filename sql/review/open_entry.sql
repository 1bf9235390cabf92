insert into review.ledger_entry (entry_no, kind, department, feed, description, opened_on, updated_on)
values (
    (
        select %(year)s || '-' || lpad((count(*) + 1)::text, 4, '0')
        from review.ledger_entry
        where entry_no like %(year)s || '-%%'
    ),
    %(kind)s,
    %(department)s,
    %(feed)s,
    %(description)s,
    %(day)s,
    %(day)s
)
returning entry_no
