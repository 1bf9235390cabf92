-- name: loaded_before
-- The batch that loaded these very bytes under this very configuration, if no batch has written to the data set (of
-- certificates, to the license type) since, so that every row of the file is still as that batch left it.
-- Asked only when no older delivery waits (ledger/has_older_unfinished): one that is loaded later would undo this one.
select b.*
from ledger.batch as b
where
    b.department = %(department)s and b.feed = %(feed)s and b.sha256 = %(sha256)s
    and b.config_digest = %(config_digest)s
    and b.status = 'loaded' and b.superseded = 0
    -- Not one that took a part of the file through the pipeline again.
    and b.origin in ('delivery', 'backfill', 'replay')
    -- What is quarantined today may pass tomorrow: a date that lay ahead.
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
-- The watermark moves with the rows, and never back: an older batch may be released late.
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
