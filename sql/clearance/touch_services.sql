-- Without a list there is nothing to compare with.
insert into clearance.touched (record_key, is_compared)
select
    c.record_key,
    false
from changed as c
where exists (select from clearance.list)
on conflict (record_key)
do update
    set is_compared = false
    where touched.is_compared
