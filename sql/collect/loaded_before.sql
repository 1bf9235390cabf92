-- The batch that loaded these very bytes under this very configuration, if no batch has written to the data set (of
-- certificates, to the license type) since, so that every row of the file is still as that batch left it.
-- Asked only when no older delivery waits (ledger/has_older_unfinished): one that is loaded later would undo this one.
select b.*
from ledger.batch as b
where
    b.department = %(department)s and b.feed = %(feed)s and b.sha256 = %(sha256)s
    and b.config_digest = %(config_digest)s
    and b.status = 'loaded' and b.superseded = 0
    -- Not one that took a part of the file through the road again.
    and b.origin in ('delivery', 'backfill', 'replay')
    -- What is quarantined today may pass tomorrow: a date that lay ahead.
    and (b.quarantined = 0 or b.finished_at >= date_trunc('day', now()))
    and not exists (
        select
        from ledger.batch as later
        where
            later.dataset = b.dataset and later.license_type is not distinct from b.license_type
            and later.batch_id <> b.batch_id
            and later.finished_at >= b.finished_at and later.status = 'loaded'
            and later.inserted + later.updated + later.deleted + later.disappeared > 0
    )
order by b.batch_id desc
limit 1
