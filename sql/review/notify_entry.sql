-- 通报: the department was told of a persistent problem.
update review.ledger_entry
set
    notified_on = %(day)s,
    notified_by = %(notified_by)s
where entry_no = %(entry_no)s and written_off_on is null
