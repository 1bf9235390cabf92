-- name: months
select *
from ledger.backfill_month
where (%(department)s::text is null or department = %(department)s)
order by department, feed, month;

-- name: month
select *
from ledger.backfill_month
where department = %(department)s and feed = %(feed)s and month = %(month)s;

-- name: begin_month
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
        finished_at = null;

-- name: batches_of_month
-- The batches of the newest try at a month; those of a killed try belong to it.
select *
from ledger.batch
where
    department = %(department)s and feed = %(feed)s and backfill_month = %(month)s
    and (run_id = %(run_id)s or status in ('landed', 'staged', 'validated', 'held'))
order by batch_id;

-- name: end_month
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
returning *;
