-- The same delivery of the same run, collected again by a repeated task, is the batch that is there.
with recorded as (
    insert into ledger.batch (
        department, feed, license_type, run_id, status, source_name, source_bytes, source_modified_at, sha256,
        landing_path, landed_at, manifest, window_start, window_end, position_at, position_key, config_digest,
        absent_fields, rule_id, reason, detail, finished_at
    )
    values (
        %(department)s, %(feed)s, %(license_type)s, %(run_id)s, %(status)s, %(source_name)s, %(source_bytes)s,
        %(source_modified_at)s,
        %(sha256)s,
        %(landing_path)s,
        coalesce(%(landed_at)s, clock_timestamp()),
        %(manifest)s,
        %(window_start)s,
        %(window_end)s,
        %(position_at)s,
        %(position_key)s::text[],
        %(config_digest)s,
        %(absent_fields)s, %(rule_id)s, %(reason)s, %(detail)s,
        case when %(status)s = 'rejected' then clock_timestamp() end
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
