select *
from review.ledger_entry
where
    (not %(standing)s or written_off_on is null)
    and (%(entry_no)s::text is null or entry_no = %(entry_no)s)
order by written_off_on asc nulls first, entry_id desc
