-- A person lets a held batch go on; it is staged and validated anew and its batch rules no longer hold it.
update ledger.batch
set
    status = 'landed',
    held = 0,
    released_by = %(released_by)s,
    release_reason = %(reason)s,
    finished_at = null
where batch_id = %(batch_id)s and status = 'held'
