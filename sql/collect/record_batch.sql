-- The same delivery of the same run, collected again by a repeated task, is the batch that is there. A file of a drop
-- that was rejected (or lost) and is read once more is no newer for that: what came since must win.
with rejected as (
    select min(landed_at) as landed_at
    from ledger.batch
    where
        department = %(department)s and feed = %(feed)s and status = 'rejected'
        and source_name = %(source_name)s and source_bytes = %(source_bytes)s
        and source_modified_at = %(source_modified_at)s
),

recorded as (
    insert into ledger.batch (
        department, feed, dataset, license_type, run_id, status, source_name, source_bytes, source_modified_at,
        sha256, landing_path, landed_at, manifest, window_start, window_end, position_at, position_key, config_digest,
        absent_fields, rule_id, reason, detail, finished_at, origin, redrives_batch_id, released_by, release_reason,
        backfill_month
    )
    values (
        %(department)s, %(feed)s, %(dataset)s, %(license_type)s, %(run_id)s, %(status)s,
        %(source_name)s, %(source_bytes)s,
        %(source_modified_at)s,
        %(sha256)s,
        %(landing_path)s,
        -- The earlier one, where both are known.
        coalesce(
            least(
                %(landed_at)s::timestamptz,
                (
                    select r.landed_at
                    from rejected as r
                )
            ),
            clock_timestamp()
        ),
        %(manifest)s,
        %(window_start)s,
        %(window_end)s,
        %(position_at)s,
        %(position_key)s::text[],
        %(config_digest)s,
        %(absent_fields)s, %(rule_id)s, %(reason)s, %(detail)s,
        case when %(status)s = 'rejected' then clock_timestamp() end,
        %(origin)s,
        %(redrives_batch_id)s,
        %(released_by)s,
        %(release_reason)s,
        %(backfill_month)s
    )
    on conflict (department, feed, run_id, source_name, sha256) do nothing
    returning *
),

found as (
    select *
    from recorded
    union all
    select *
    from ledger.batch
    where
        department = %(department)s and feed = %(feed)s and run_id = %(run_id)s
        and source_name = %(source_name)s and sha256 = %(sha256)s
)

select * from found
