-- The rows of the first list there is: all of them are new.
insert into clearance.entry (
    record_key, first_list, version_no, place_id, finished_at, default_at, since_day, is_reopened
)
select
    w.record_key,
    %(list_id)s,
    w.version_no,
    w.place_id,
    w.finished_at,
    w.default_at,
    w.since_day,
    w.is_reopened
from ({wanted}) as w
