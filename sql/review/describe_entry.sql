update review.ledger_entry
set
    description = %(description)s,
    updated_on = %(day)s
where entry_id = %(entry_id)s
