-- Where the roll-up, as it was kept up, did not say what the table says.
select
    coalesce(k.department, d.department) as department,
    coalesce(k.feed, d.feed) as feed,
    coalesce(k.license_type, d.license_type) as license_type,
    coalesce(k.day, d.day) as day,
    coalesce(k.number, 0) as kept,
    coalesce(d.number, 0) as counted
from pg_temp.kept_day as k
full join reconciliation.store_day as d
    on
        k.department = d.department and k.feed = d.feed and k.license_type = d.license_type and k.day = d.day
where k.number is distinct from d.number or k.checksum is distinct from d.checksum
order by department, feed, license_type, day
