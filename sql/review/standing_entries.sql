select *
from review.ledger_entry
where written_off_on is null
order by entry_id
