-- A full comparison of keys: what the store has of this feed and the whole register no longer holds is marked.
-- A quarantined row is there all the same.
with gone as (
    select s.certificate_key
    from store.certificate as s
    where
        s.license_type = %(license_type)s and s.department = %(department)s and s.feed = %(feed)s
        and s.removal is null and s.batch_id <> %(batch_id)s
        and not exists (
            select from certificate as c
            where c.certificate_key = s.certificate_key
        )
),

kept as (
    insert into store.certificate_history
    select
        s.*,
        %(batch_id)s,
        now()
    from store.certificate as s
    where s.license_type = %(license_type)s and s.certificate_key in (select g.certificate_key from gone as g)
)

update store.certificate as s
set
    removed_at = %(landed_at)s,
    removal = 'disappeared',
    version_no = s.version_no + 1,
    batch_id = %(batch_id)s,
    loaded_at = now()
where s.license_type = %(license_type)s and s.certificate_key in (select g.certificate_key from gone as g)
