-- The batch that the problem records of a reconciliation belong to: all of its rows are problems.
insert into ledger.batch (
    department, feed, dataset, license_type, run_id, status, source_name, source_bytes, source_modified_at, landed_at,
    config_digest, origin, fetched, staged, quarantined, finished_at
)
select
    %(department)s,
    %(feed)s,
    %(dataset)s,
    %(license_type)s,
    %(run_id)s,
    'loaded',
    '比对',
    0,
    %(begun)s,
    %(begun)s,
    %(config_digest)s,
    'reconciliation',
    count(*) as fetched,
    count(*) as staged,
    count(*) as quarantined,
    clock_timestamp()
from pg_temp.found
where explanation is null
having count(*) > 0
returning batch_id
