-- Files that no feed took and that lie no longer in the drop.
update ledger.untaken_file as u
set gone_at = clock_timestamp()
where
    u.connection = %(connection)s and u.gone_at is null
    and not exists (
        select from
            unnest(%(names)s::text[], %(sizes)s::bigint[], %(times)s::timestamptz[]) as f (name, size, modified_at)
        where f.name = u.name and f.size = u.source_bytes and f.modified_at = u.source_modified_at
    )
