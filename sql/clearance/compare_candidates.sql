-- The services that changed since the final lists were last compared with the facts.
create temp table candidate on commit drop as
select s.*
from clearance.touched as t
inner join clearance.service as s on t.record_key = s.record_key
where not t.is_compared
