-- The batch that certificates are withdrawn by: no row came.
insert into ledger.batch (
    department, feed, dataset, license_type, run_id, status, source_name, source_bytes, source_modified_at, landed_at,
    config_digest, origin, fetched, staged, finished_at
)
values (
    %(department)s,
    %(feed)s,
    %(dataset)s,
    %(license_type)s,
    %(run_id)s,
    'loaded',
    '比对撤下',
    0,
    %(begun)s,
    %(begun)s,
    %(config_digest)s,
    'reconciliation',
    0,
    0,
    clock_timestamp()
)
returning batch_id
