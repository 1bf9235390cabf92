-- Whether the keys of a snapshot can be compared: each row must have one, and no newer snapshot be loaded already. And,
-- of those newer ones, when the first came, and when the first came whose own keys could be read.
select
    case
        when
            %(unreadable)s > 0
            or exists (
                select from staged_row
                where record_key is null
            )
            then 'keys_unreadable'
        when min(landed_at) is not null then 'overtaken'
        else 'compared'
    end as compared,
    min(landed_at) as overtaken_at,
    min(landed_at) filter (where compared in ('compared', 'overtaken')) as compared_at
from ledger.batch
where
    department = %(department)s and feed = %(feed)s and status = 'loaded' and landed_at > %(landed_at)s
    and origin <> 'reconciliation'
