-- The services that may stand otherwise on the next trunk list than on the last one: their facts changed, or a moment
-- or the limit of age lies between the two; which list a moment at a cut-off belongs to is judged afterwards.
-- `changed` are those of this transaction.
create temp table candidate on commit drop as
with moved as (
    select record_key
    from clearance.touched
    union
    select k.record_key
    from ({changed}) as k
    union
    select record_key
    from clearance.service
    where finished_at >= %(last_cutoff_at)s and finished_at <= %(cutoff_at)s
    union
    select record_key
    from clearance.service
    where rated_at >= %(last_cutoff_at)s and rated_at <= %(cutoff_at)s
    union
    select record_key
    from clearance.service
    where default_at >= %(last_cutoff_at)s and default_at <= %(cutoff_at)s
    union
    select record_key
    from clearance.service
    where finished_at >= %(last_oldest_finish)s and finished_at < %(oldest_finish)s
)

select c.*
from moved as m
-- By key, however many there are: the planner would rather read all services.
cross join
    lateral (
        select s.*
        from clearance.service as s
        where s.record_key = m.record_key
        order by s.record_key
        limit 1
    ) as c
