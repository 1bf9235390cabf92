-- The services that may stand otherwise on the next trunk list than on the last one: their facts changed, or a moment
-- or the limit of age lies between the two.
create temp table candidate on commit drop as
with moved as (
    select record_key
    from clearance.touched
    union
    select record_key
    from clearance.service
    where finished_at > %(last_cutoff_at)s and finished_at <= %(cutoff_at)s
    union
    select record_key
    from clearance.service
    where rated_at > %(last_cutoff_at)s and rated_at <= %(cutoff_at)s
    union
    select record_key
    from clearance.service
    where default_at > %(last_cutoff_at)s and default_at <= %(cutoff_at)s
    union
    select record_key
    from clearance.service
    where finished_at >= %(last_oldest_finish)s and finished_at < %(oldest_finish)s
)

select s.*
from moved as m
inner join clearance.service as s on m.record_key = s.record_key
