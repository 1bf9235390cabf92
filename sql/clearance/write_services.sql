-- In the order of the key: so many are written fastest.
insert into clearance.service (record_key, version_no, place_id, service_item_code, finished_at, rated_at, default_at)
select
    c.record_key,
    c.version_no,
    c.place_id,
    c.service_item_code,
    c.finished_at,
    c.rated_at,
    c.default_at
from changed as c
order by c.record_key
on conflict (record_key)
do update
    set
        version_no = excluded.version_no,
        place_id = excluded.place_id,
        service_item_code = excluded.service_item_code,
        finished_at = excluded.finished_at,
        rated_at = excluded.rated_at,
        default_at = excluded.default_at
