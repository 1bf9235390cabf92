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
order by connection, name
