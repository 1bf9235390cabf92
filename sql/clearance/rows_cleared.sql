-- For list_rows.sql: the rows whose service has an own effective evaluation by now.
select
    r.*,
    null::text as change,
    s.rated_at
from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r
inner join clearance.service as s on r.record_key = s.record_key
where s.rated_at is not null
