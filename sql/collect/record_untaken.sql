-- A file is told once: the rows that come back are those of files that were not known.
with seen as (
    insert into ledger.untaken_file (
        connection, name, source_bytes, source_modified_at, department, reason, first_run_id
    )
    -- Two names of bytes may be one of text.
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
order by name
