-- The certificates that stand, by department, license type and how long they still are valid on a day. What was
-- cancelled, withdrawn, revoked, replaced or moved away is no stock, and neither is what was removed.
select
    department,
    license_type,
    count(*) filter (where not is_expired and valid_to > %(last_day)s) as later,
    count(*) filter (where not is_expired and valid_to is null) as endless,
    count(*) filter (where not is_expired and valid_to <= %(last_day)s) as expiring,
    count(*) filter (where is_expired) as expired,
    count(*) filter (where is_expired and status is distinct from 'expired') as expired_as_valid
from (
    select
        department,
        license_type,
        valid_to,
        status,
        coalesce(status = 'expired', false) or coalesce(valid_to < %(day)s, false) as is_expired
    from store.certificate
    where removal is null and (status is null or status in ('valid', 'expired'))
) as s
group by department, license_type
order by department, license_type
