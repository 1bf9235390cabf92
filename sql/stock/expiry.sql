-- name: standing_certificates
-- The valid and expired certificates of the stock, and whether they have expired on a day. Cancelled, withdrawn,
-- revoked, replaced, transferred and removed certificates are not part of the stock.
select
    department,
    license_type,
    certificate_identifier,
    certificate_number,
    certificate_name,
    holder,
    holder_code_type,
    issuing_authority,
    district,
    valid_to,
    valid_without_end,
    status,
    record_key,
    coalesce(status = 'expired', false) or coalesce(valid_to < %(day)s, false) as is_expired
from store.certificate
where removal is null and (status is null or status in ('valid', 'expired'));

-- name: count_expiry
-- The certificates of the stock, by department, license type and remaining validity on a day.
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
order by s.department, s.license_type;

-- name: expiring_certificates
-- The certificates that expire up to a day, and those that expired since another day: by department, the latest expired
-- ones first, then each by the day on which it expires.
select s.*
from ({standing}) as s
where
    (not is_expired and valid_to <= %(last_day)s)
    or (is_expired and (valid_to is null or valid_to >= %(expired_since)s))
order by department, is_expired, valid_to, license_type, record_key;

-- name: forget_expiry
delete from stock.expiry
where day = %(day)s;

-- name: keep_expiry
insert into stock.expiry (
    day, department, license_type, later, endless, untold, unknown, expiring, expired,
    expired_as_valid, expiring_days
) values (
    %(day)s, %(department)s, %(license_type)s, %(later)s, %(endless)s, %(untold)s, %(unknown)s, %(expiring)s,
    %(expired)s, %(expired_as_valid)s, %(expiring_days)s
);

-- name: newest_expiry
select
    day,
    expiring_days,
    department,
    license_type,
    later,
    endless,
    untold,
    unknown,
    expiring,
    expired,
    expired_as_valid
from stock.expiry
where day = (select max(e.day) from stock.expiry as e)
order by department, license_type;
