-- What a partition must promise, as the store's table of certificates does: the actions of one `alter table`.
select string_agg(action, ', ') as actions
from (
    select format('alter %%I set not null', a.attname) as action
    from pg_catalog.pg_attribute as a
    where a.attrelid = 'store.certificate'::regclass and a.attnum > 0 and not a.attisdropped and a.attnotnull
    union all
    select format('add constraint %%I %%s', c.conname, pg_get_constraintdef(c.oid)) as action
    from pg_catalog.pg_constraint as c
    where c.conrelid = 'store.certificate'::regclass and c.contype = 'c'
    union all
    -- The check spares the look at every row when the table becomes the type's part.
    select format('add constraint one_type check (license_type = %%L)', %(license_type)s::text) as action
) as promised
