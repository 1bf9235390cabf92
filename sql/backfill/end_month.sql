update ledger.backfill_month
set
    state = %(state)s,
    batches = %(batches)s,
    fetched = %(fetched)s,
    written = %(written)s,
    quarantined = %(quarantined)s,
    detail = %(detail)s,
    finished_at = clock_timestamp()
where department = %(department)s and feed = %(feed)s and month = %(month)s
returning *
