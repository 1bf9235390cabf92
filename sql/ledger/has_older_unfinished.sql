-- Whether an older delivery of this feed may still come to be loaded: it waits, or is held and may be released.
select exists(
    select from ledger.batch
    where
        department = %(department)s and feed = %(feed)s and batch_id <> %(batch_id)s
        and status in ('landed', 'staged', 'validated', 'held')
        and landed_at < %(landed_at)s
)
