-- The same difference found again is the same problem record, seen once more.
insert into quarantine.problem_row as q (
    department, feed, dataset, license_type, record_key, first_batch_id, first_row_no, last_batch_id, last_row_no,
    rules, reasons, payload, fingerprint, version_at, opened_at, first_opened_at, updated_at
)
select
    %(department)s,
    %(feed)s,
    %(dataset)s,
    %(license_type)s,
    f.record_key,
    %(batch_id)s,
    row_number() over (order by f.record_key),
    %(batch_id)s,
    row_number() over (order by f.record_key),
    array['reconciliation.' || f.kind],
    array[%(reasons)s::jsonb ->> f.kind],
    jsonb_build_object(
        '记录标识', f.record_key,
        '来源时间', to_char(f.source_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS.US'),
        '库中时间', to_char(f.store_at at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI:SS.US')
    ),
    md5('reconciliation.' || f.kind || '|' || f.record_key),
    coalesce(f.source_at, f.store_at),
    now(),
    now(),
    now()
from pg_temp.found as f
where f.explanation is null
order by f.record_key
on conflict (department, feed, fingerprint) where status in ('open', 'returned', 'waived')
do update set
    last_batch_id = excluded.last_batch_id,
    last_row_no = excluded.last_row_no,
    payload = excluded.payload,
    version_at = excluded.version_at,
    times_seen = q.times_seen + 1,
    updated_at = now()
