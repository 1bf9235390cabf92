select landing_path
from ledger.batch
where
    department = %(department)s and feed = %(feed)s and sha256 = %(sha256)s
    and source_bytes = %(source_bytes)s and landing_path is not null
order by batch_id desc
limit 1
