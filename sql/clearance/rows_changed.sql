-- For list_rows.sql: how a version differs from the one before it, a row that was removed as it was.
select
    c.*,
    null::timestamptz as rated_at
from clearance.correction as c
where c.list_id = %(list_id)s
