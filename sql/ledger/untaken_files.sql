-- name: record_untaken
-- A file is reported once: the returned rows are those of files that were not known.
with seen as (
    insert into ledger.untaken_file (
        connection, name, source_bytes, source_modified_at, department, reason, first_run_id
    )
    -- Two names in bytes may be the same text.
    select distinct on (f.name, f.size, f.modified_at)
        %(connection)s,
        f.name,
        f.size,
        f.modified_at,
        %(department)s,
        f.reason,
        %(run_id)s
    from
        unnest(%(names)s::text[], %(sizes)s::bigint[], %(times)s::timestamptz[], %(reasons)s::text[])
            as f (name, size, modified_at, reason)
    on conflict (connection, name, source_bytes, source_modified_at)
    do update set last_seen_at = now(), gone_at = null
    returning *
)

select
    connection,
    name,
    source_bytes,
    source_modified_at,
    department,
    reason,
    first_run_id,
    first_seen_at
from seen
where first_seen_at = last_seen_at
order by name;

-- name: untaken_gone
-- Files that no feed took and that are no longer in the drop.
update ledger.untaken_file as u
set gone_at = clock_timestamp()
where
    u.connection = %(connection)s and u.gone_at is null
    and not exists (
        select from
            unnest(%(names)s::text[], %(sizes)s::bigint[], %(times)s::timestamptz[]) as f (name, size, modified_at)
        where f.name = u.name and f.size = u.source_bytes and f.modified_at = u.source_modified_at
    );

-- name: untaken_files
select
    connection,
    name,
    source_bytes,
    source_modified_at,
    department,
    reason,
    first_run_id,
    first_seen_at
from ledger.untaken_file
where
    case
        when %(run_id)s::text is null then gone_at is null
        else department = %(department)s and first_run_id = %(run_id)s
    end
order by connection, name;
