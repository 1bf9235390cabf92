-- What becomes of each staged row, and whether the store knew its certificate. Only keys that come more than once are
-- sorted: most batches have few.
create unlogged table outcome as
with failed as (
    select row_no
    from mark
    where critical <> '{}'
),

repeated_key as (
    select certificate_key
    from certificate
    where certificate_key is not null
    group by certificate_key
    having count(*) > 1
),

ranked as (
    select
        c.row_no,
        row_number() over (partition by c.certificate_key order by c.version_at desc, c.row_no desc) as place
    from certificate as c
    where
        c.certificate_key in (select r.certificate_key from repeated_key as r)
        and not exists (
            select from failed as f
            where f.row_no = c.row_no
        )
),

older_in_batch as (
    select row_no
    from ranked
    where place > 1
)

select
    c.row_no,
    s.certificate_key is not null as is_known,
    case
        -- What is older than the store's version changes nothing, right or wrong; without a time, nobody knows.
        when
            f.row_no is not null
            and (
                s.certificate_key is null
                or s.version_at <= c.version_at
                or c.version_at = %(undated)s::timestamptz
            )
            then 'quarantined'
        when f.row_no is not null then 'superseded'
        when d.row_no is not null then 'duplicate'
        when s.certificate_key is null then case when c.removes then 'deleted' else 'inserted' end
        when c.removes and s.removal = 'deleted' then 'unchanged'
        when not c.removes and s.removal is null and s.row_hash = c.row_hash then 'unchanged'
        -- An older version does not win.
        when
            c.version_at < s.version_at
            or (c.version_at = s.version_at and %(batch_id)s < s.batch_id)
            then 'superseded'
        when c.removes then 'deleted'
        else 'updated'
    end as outcome
from certificate as c
left join failed as f on c.row_no = f.row_no
left join older_in_batch as d on c.row_no = d.row_no
left join store.certificate as s on s.license_type = %(license_type)s and c.certificate_key = s.certificate_key
