insert into ledger.backfill_month (department, feed, month, state, run_id)
values (%(department)s, %(feed)s, %(month)s, 'running', %(run_id)s)
on conflict (department, feed, month) do update
    set
        state = 'running',
        run_id = excluded.run_id,
        batches = 0,
        fetched = 0,
        written = 0,
        quarantined = 0,
        detail = null,
        started_at = clock_timestamp(),
        finished_at = null
