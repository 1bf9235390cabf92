-- A run that died left batches behind; nobody else would take them up again.
update ledger.batch
set taken_up_by = %(run_id)s
where
    department = %(department)s and feed = %(feed)s
    and run_id <> %(run_id)s
    and status in ('landed', 'staged', 'validated')
    -- The backfill takes up its own: the night does not wait for it.
    and origin <> 'backfill'
