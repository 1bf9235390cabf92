-- The certificates that stand, and whether they have expired on a day. What was cancelled, withdrawn, revoked, replaced
-- or moved away is no stock, and neither is what was removed.
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
    valid_without_end,
    status,
    record_key,
    coalesce(status = 'expired', false) or coalesce(valid_to < %(day)s, false) as is_expired
from store.certificate
where removal is null and (status is null or status in ('valid', 'expired'))
