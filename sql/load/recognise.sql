-- name: recognise
-- The rows whose version in the store was made from these same bytes, under today's configuration. Keys that occur
-- twice, and records with an unsolved problem record, are processed completely: this row may settle it.
-- A table of its own, and not an insert into one: only so PostgreSQL uses parallel workers for the reading. The first
-- reader of rows that a load has just written marks them as committed, page by page, which is more work than everything
-- else.
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
        -- A case instead of a condition: for a feed without statistics, the planner would expect an empty store, and
        -- scan the complete delivery for every certificate. It is here and not after the join: in memory, each
        -- certificate then waits for its row with three values, not with all columns that the case reads.
        case
            when s.removal is null and s.department = %(department)s and s.feed = %(feed)s then s.received_hash
        end as received_hash
    from {store} as s
    where {scope}
) as s on k.record_key = s.record_key
where
    coalesce(s.received_hash = k.received_hash, false)
    -- When two keys share a hash, both are processed completely.
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
-- How many batches have written to the target of a batch; and whether this feed wrote any of its rows, so that rows can
-- be recognised.
select
    count(*) as writing_batches,
    coalesce(bool_or(department = %(department)s and feed = %(feed)s), false) as has_written
from ledger.batch
where
    dataset = %(dataset)s and license_type is not distinct from %(license_type)s and status = 'loaded'
    and inserted + updated + deleted + disappeared + quarantined > 0;

-- name: repeated_hash
-- The hashes of keys that occur more than once among these rows. A hash that two keys share is included, too.
create unlogged table repeated_hash with (autovacuum_enabled = off) as
select keyed.key_hash
from ({keyed}) as keyed
where keyed.key_hash is not null
group by keyed.key_hash
having count(*) > 1;
