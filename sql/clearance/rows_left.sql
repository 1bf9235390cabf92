-- For list_rows.sql: who was on yesterday's list and is not on this one, as it stood there; `change` is why.
select
    y.*,
    d.reason as change,
    null::timestamptz as rated_at
from clearance.departure as d
cross join
    lateral clearance.row_of(
        d.record_key, %(yesterday_base)s::bigint, %(yesterday_corrections)s::bigint[]
    ) as y
where d.list_id = %(list_id)s
