-- Stays on the trunk that end with the next list, or go on with another content.
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
    )
