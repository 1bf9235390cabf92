-- name: seal_evidence
select (audit.close()).seal_id as seal_id;

-- name: seals
-- A first seal starts before all time, which Python has no value for: it is told as 1900.
select -- noqa: ST06
    seal_id,
    greatest(sealed_from, '1900-01-01 00:00+08'::timestamptz) as sealed_from,
    sealed_until,
    sealed_at,
    sealed_rows,
    encode(head, 'hex') as head
from audit.seal
order by seal_id desc
limit %(limit)s;

-- name: verify
select
    seal_id,
    kind,
    row_key,
    fault
from audit.verify();
