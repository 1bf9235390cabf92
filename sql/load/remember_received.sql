-- A row that was read in full and is what the store has: it was written otherwise, or under another configuration. From
-- now on it is recognised as it came today. What was stored before something was kept apart is known from now on, too.
update {store} as s
set
    received_hash = c.received_hash,
    warning_set = w.warning_set{set_of_certificates}
from staged_row as c
inner join outcome as o on c.row_no = o.row_no
left join mark as m on c.row_no = m.row_no
left join ledger.warning_set as w on m.warning = w.rules
where
    {scope} and s.record_key = c.record_key and o.outcome = 'unchanged' and not c.removes
    -- As in stage/recognise: not for the planner to guess at.
    and coalesce(
        s.department = %(department)s and s.feed = %(feed)s and s.received_hash is distinct from c.received_hash, false
    )
