-- name: loaded_before
-- The batch that loaded these same bytes under the same configuration, if no batch has written to the data set (for
-- certificates, to the license type) since, so that every row of the file is still as that batch left it. Only used
-- when no older delivery waits (ledger/batches.has_older_unfinished): loaded later, it would undo this one.
select b.*
from ledger.batch as b
where
    b.department = %(department)s and b.feed = %(feed)s and b.sha256 = %(sha256)s
    and b.config_digest = %(config_digest)s
    and b.status = 'loaded' and b.superseded = 0
    -- Not a batch that processed only a part of the file again.
    and b.origin in ('delivery', 'backfill', 'replay')
    -- A row that is quarantined today may pass tomorrow: its date was in the future.
    and (b.quarantined = 0 or b.finished_at >= date_trunc('day', now()))
    and not exists (
        select
        from ledger.batch as later
        where
            later.dataset = b.dataset and later.license_type is not distinct from b.license_type
            and later.batch_id <> b.batch_id
            and later.finished_at >= b.finished_at and later.status = 'loaded'
            and later.inserted + later.updated + later.deleted + later.disappeared > 0
    )
order by b.batch_id desc
limit 1;

-- name: copy_rule_results
insert into ledger.rule_result (batch_id, rule_id, severity, failed_rows, skipped)
select
    %(batch_id)s,
    rule_id,
    severity,
    failed_rows,
    skipped
from ledger.rule_result
where batch_id = %(from_batch_id)s;

-- name: count_outcomes
select
    outcome,
    count(*) as number,
    count(*) filter (where is_known) as known
from outcome
group by outcome;

-- name: has_open_problems
select exists(
    select from quarantine.problem_row
    where department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
);

-- name: move_watermark
-- The watermark is advanced together with the rows, and never goes back: an older batch may be released late.
insert into ledger.watermark as w (department, feed, position_at, position_key, batch_id, moved_at)
select
    department,
    feed,
    position_at,
    position_key,
    batch_id,
    now()
from ledger.batch
where batch_id = %(batch_id)s and position_at is not null
on conflict (department, feed)
do update set
    position_at = excluded.position_at,
    position_key = excluded.position_key,
    batch_id = excluded.batch_id,
    moved_at = excluded.moved_at
where (w.position_at, w.position_key) < (excluded.position_at, excluded.position_key);

-- name: finish_batch
update ledger.batch
set
    status = %(status)s,
    fetched = %(fetched)s,
    inserted = %(inserted)s,
    updated = %(updated)s,
    unchanged = %(unchanged)s,
    deleted = %(deleted)s,
    superseded = %(superseded)s,
    duplicate = %(duplicate)s,
    quarantined = %(quarantined)s,
    held = %(held)s,
    disappeared = %(disappeared)s,
    compared = %(compared)s,
    warned = coalesce(%(warned)s, warned),
    repeats_batch_id = %(repeats_batch_id)s,
    rule_id = %(rule_id)s,
    reason = %(reason)s,
    detail = %(detail)s,
    finished_at = clock_timestamp()
where batch_id = %(batch_id)s
returning *;
