-- Every service that a list held, or would hold now.
create temp table candidate on commit drop as
with named as (
    select r.record_key
    from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r
    union
    select s.record_key
    from clearance.service as s
    where
        s.finished_at >= %(oldest_finish)s and s.finished_at <= %(cutoff_at)s
        and clearance.is_by(s.rated_at, %(cutoff_at)s, %(kind)s) is not true
)

select s.*
from named as n
inner join clearance.service as s on n.record_key = s.record_key
