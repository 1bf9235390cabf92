-- How many values of a time are at 00:00, and how many are not.
select
    count(*) filter (where ({field} at time zone 'Asia/Shanghai')::time = '00:00') as at_midnight,
    count(*) filter (where ({field} at time zone 'Asia/Shanghai')::time <> '00:00') as timed
from staged_row
