-- Of each content that a feed's deliveries of this size had, the newest landed file.
select distinct on (sha256)
    sha256,
    landing_path
from ledger.batch
where
    department = %(department)s and feed = %(feed)s and source_bytes = %(source_bytes)s
    and sha256 is not null and landing_path is not null
order by sha256 asc, batch_id desc
