-- The certificates that run out until a day, and those that ran out since another one: by department, what has run out
-- last, each by the day on which it does.
select s.*
from ({standing}) as s
where
    (not is_expired and valid_to <= %(last_day)s)
    or (is_expired and (valid_to is null or valid_to >= %(expired_since)s))
order by department, is_expired, valid_to, license_type, record_key
