-- The certificates that run out until a day, and those that ran out since another one: by department, what has run out
-- last, each by the day on which it does.
select *
from (
    select
        department,
        license_type,
        certificate_identifier,
        certificate_number,
        certificate_name,
        holder,
        issuing_authority,
        district,
        valid_to,
        status,
        record_key,
        coalesce(status = 'expired', false) or coalesce(valid_to < %(day)s, false) as is_expired
    from store.certificate
    where removal is null and (status is null or status in ('valid', 'expired'))
) as s
where
    (not is_expired and valid_to <= %(last_day)s)
    or (is_expired and (valid_to is null or valid_to >= %(expired_since)s))
order by department, is_expired, valid_to, license_type, record_key
