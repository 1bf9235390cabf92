-- name: ending_rows
-- Stays on the trunk that end with the next list, or continue with other content.
create temp table ending on commit drop as
select
    o.record_key,
    o.first_list,
    o.default_at,
    o.since_day,
    o.is_reopened
from ({standing}) as o
where
    not exists (
        select from wanted as w
        where
            w.record_key = o.record_key and w.version_no = o.version_no and w.since_day = o.since_day
            and w.is_reopened = o.is_reopened and w.default_at is not distinct from o.default_at
    );

-- name: standing_all
-- For ending_rows.sql: the rows of the last trunk list.
select e.*
from clearance.entry as e
where e.until_list is null;

-- name: standing_candidates
-- For ending_rows.sql: the candidates on the last trunk list. Look-ups by key, however many there are: the planner
-- would read all entries instead.
select e.*
from candidate as c
cross join
    lateral (
        select s.*
        from clearance.entry as s
        where s.record_key = c.record_key and s.until_list is null
        order by s.first_list
        limit 1
    ) as e;
