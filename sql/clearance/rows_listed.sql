-- For list_rows.sql: the rows of a version of a list.
select
    r.*,
    null::text as change,
    null::timestamptz as rated_at
from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r
