-- name: recognise
-- The rows of which the store has the very version that these bytes once became, under the configuration of today. Left
-- to the whole pipeline are keys that come twice, and records of which a problem is unsolved: what comes may settle it.
-- A table of its own, and no insert into one: of that, PostgreSQL lets parallel workers do the reading. The first to
-- read what a load has just written marks its rows as committed, page by page, which is more work than all the rest.
create unlogged table recognised_row with (autovacuum_enabled = off) as
select
    k.row_no,
    k.record_key,
    s.warning_set
from keyed_row as k
left join (
    select
        s.record_key,
        s.warning_set,
        -- A case and no condition: with a feed that it does not know yet, the planner would take the store for empty,
        -- and look through the whole delivery for every certificate. Here and not behind the join: in memory, each
        -- certificate then waits for its row with three values, not with all that the case asks.
        case
            when s.removal is null and s.department = %(department)s and s.feed = %(feed)s then s.received_hash
        end as received_hash
    from {store} as s
    where {scope}
) as s on k.record_key = s.record_key
where
    coalesce(s.received_hash = k.received_hash, false)
    -- A hash that two keys share sends both down the whole pipeline.
    and not exists (
        select from repeated_hash as r
        where r.key_hash = k.key_hash
    )
    and not exists (
        select from quarantine.problem_row as q
        where
            q.record_key = k.record_key and q.department = %(department)s and q.feed = %(feed)s
            and q.status in ('open', 'returned', 'waived')
    );

-- name: no_row_recognised
create unlogged table recognised_row (row_no bigint, record_key text collate "C", warning_set integer)
with (autovacuum_enabled = off);

-- name: writing_batches
-- How many batches have written to what a batch will write to; and whether this feed wrote any of it, so that rows
-- may be recognised.
select
    count(*) as writing_batches,
    coalesce(bool_or(department = %(department)s and feed = %(feed)s), false) as has_written
from ledger.batch
where
    dataset = %(dataset)s and license_type is not distinct from %(license_type)s and status = 'loaded'
    and inserted + updated + deleted + disappeared + quarantined > 0;

-- name: repeated_hash
-- The hashes of keys that come more than once among these rows. One that two keys share is among them, too.
create unlogged table repeated_hash with (autovacuum_enabled = off) as
select keyed.key_hash
from ({keyed}) as keyed
where keyed.key_hash is not null
group by keyed.key_hash
having count(*) > 1;
