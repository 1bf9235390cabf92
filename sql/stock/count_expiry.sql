-- The certificates that stand, by department, license type and how long they still are valid on a day.
select
    s.department,
    s.license_type,
    count(*) filter (where not is_expired and valid_to > %(last_day)s) as later,
    count(*) filter (where not is_expired and valid_to is null and valid_without_end) as endless,
    count(*) filter (where not is_expired and valid_to is null and not valid_without_end) as untold,
    count(*) filter (where not is_expired and valid_to is null and valid_without_end is null) as unknown,
    count(*) filter (where not is_expired and valid_to <= %(last_day)s) as expiring,
    count(*) filter (where is_expired) as expired,
    count(*) filter (where is_expired and status is distinct from 'expired') as expired_as_valid
from ({standing}) as s
group by s.department, s.license_type
order by s.department, s.license_type
