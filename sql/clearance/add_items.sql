-- The names that service items bear last.
insert into clearance.service_item (service_item_code, service_item_name)
select distinct on (r.service_item_code)
    r.service_item_code,
    r.service_item_name
from refreshed as r
where r.service_item_code is not null and r.service_item_name is not null
order by r.service_item_code asc, r.source_updated_at desc nulls last, r.record_key asc
on conflict (service_item_code)
do update
    set service_item_name = excluded.service_item_name
    where service_item.service_item_name <> excluded.service_item_name
