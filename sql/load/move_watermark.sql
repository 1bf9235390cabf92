-- The watermark moves with the rows, and never back: an older batch may be released late.
insert into ledger.watermark as w (department, feed, position_at, position_key, batch_id, moved_at)
select
    department,
    feed,
    position_at,
    position_key,
    batch_id,
    now()
from ledger.batch
where batch_id = %(batch_id)s and position_at is not null
on conflict (department, feed)
do update set
    position_at = excluded.position_at,
    position_key = excluded.position_key,
    batch_id = excluded.batch_id,
    moved_at = excluded.moved_at
where (w.position_at, w.position_key) < (excluded.position_at, excluded.position_key)
