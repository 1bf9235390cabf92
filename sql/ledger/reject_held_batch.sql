-- A person gives a held batch back; why it was held stays.
update ledger.batch
set
    status = 'rejected',
    held = 0,
    finished_at = clock_timestamp()
where batch_id = %(batch_id)s and status = 'held'
returning *
