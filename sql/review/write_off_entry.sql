update review.ledger_entry
set
    written_off_on = %(day)s,
    evidence = %(evidence)s,
    updated_on = %(day)s
where entry_id = %(entry_id)s
