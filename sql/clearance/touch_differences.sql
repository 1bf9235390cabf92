-- Whatever was corrected may stand otherwise on the next trunk list too.
insert into clearance.touched (record_key, is_compared)
select distinct
    d.record_key,
    true
from difference as d
on conflict (record_key)
do nothing
