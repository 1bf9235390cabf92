-- One summand of the order-independent checksum: the first 60 bits of md5 over key and version time in one canonical
-- text. sql/reconcile/source_*.sql and zhengku.operations.reconcile.checksum compute the same for a source. A time
-- before 1900 means "no time" there, and counts as that day here.
create or replace function reconciliation.hash(record_key text, version_at timestamptz) returns bigint
language sql stable parallel safe
return (
    'x' || substr(
        md5(
            record_key || '|' || to_char(
                greatest(version_at at time zone 'Asia/Shanghai', timestamp '1900-01-01'), 'YYYY-MM-DD HH24:MI:SS.US'
            )
        ), 1, 15
    )
)::bit(60)::bigint;

create or replace function reconciliation.city_day(version_at timestamptz) returns date
language sql stable parallel safe
return greatest((version_at at time zone 'Asia/Shanghai')::date, date '1900-01-01');
