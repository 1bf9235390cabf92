-- Whether the keys of a snapshot can be compared: each row must have one, and no newer snapshot be loaded already.
select case
    when
        %(unreadable)s > 0
        or exists (
            select from staged_row
            where record_key is null
        )
        then 'keys_unreadable'
    when exists (
            select from ledger.batch
            where
                department = %(department)s and feed = %(feed)s and status = 'loaded' and landed_at > %(landed_at)s
                and origin <> 'reconciliation'
        )
        then 'overtaken'
    else 'compared'
end
