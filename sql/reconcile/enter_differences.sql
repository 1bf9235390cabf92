insert into reconciliation.difference as d (
    department, feed, dataset, license_type, record_key, kind, source_at, store_at, problem_id
)
select
    %(department)s,
    %(feed)s,
    %(dataset)s,
    %(license_type)s,
    f.record_key,
    f.kind,
    f.source_at,
    f.store_at,
    q.problem_id
from pg_temp.found as f
inner join quarantine.problem_row as q
    on
        q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
        and q.fingerprint = md5('reconciliation.' || f.kind || '|' || f.record_key)
where f.explanation is null
on conflict (department, feed, record_key) where settled_at is null
do update set
    kind = excluded.kind,
    source_at = excluded.source_at,
    store_at = excluded.store_at,
    problem_id = excluded.problem_id,
    seen_at = now()
