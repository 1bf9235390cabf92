-- Deliveries whose landed file can go the whole road again, in the order in which they came. One that only repeats
-- another has the same file.
select *
from ledger.batch
where
    origin = 'delivery' and repeats_batch_id is null and landing_path is not null and status in ('loaded', 'rejected')
    and (%(batch_ids)s::bigint[] is null or batch_id = any(%(batch_ids)s::bigint[]))
    and (%(department)s::text is null or department = %(department)s)
    and (%(feed)s::text is null or feed = %(feed)s)
    and (%(since)s::timestamptz is null or recorded_at >= %(since)s)
    and (%(before)s::timestamptz is null or recorded_at < %(before)s)
order by landed_at, batch_id
