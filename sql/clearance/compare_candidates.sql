-- The services that changed since the final lists were last compared with the facts.
create temp table candidate on commit drop as
select c.*
from clearance.touched as t
-- By key, however many there are: the planner would rather read all services.
cross join
    lateral (
        select s.*
        from clearance.service as s
        where s.record_key = t.record_key
        order by s.record_key
        limit 1
    ) as c
where not t.is_compared
