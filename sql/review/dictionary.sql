-- name: tables
-- The tables of the store, with comment and number of partitions.
select
    t.relname::text as name,
    coalesce(obj_description(t.oid, 'pg_class'), '') as comment,
    (
        select count(*)
        from pg_partition_tree(t.oid) as p
        where p.isleaf and p.relid <> t.oid
    ) as partitions
from pg_class as t
where t.relnamespace = 'store'::regnamespace and t.relkind in ('r', 'p')
order by t.relname;

-- name: columns
-- Their columns, in the order of the tables.
select
    t.relname::text as table_name,
    a.attname::text as name,
    format_type(a.atttypid, a.atttypmod) as type,
    coalesce(col_description(t.oid, a.attnum), '') as comment
from pg_class as t
inner join pg_attribute as a on t.oid = a.attrelid
where
    t.relnamespace = 'store'::regnamespace and t.relkind in ('r', 'p')
    and a.attnum > 0 and not a.attisdropped
order by t.relname, a.attnum;

-- name: indexes
select
    t.relname::text as table_name,
    i.relname::text as name,
    x.indisunique as is_unique,
    regexp_replace(pg_get_indexdef(i.oid), '^.* USING ', '') as definition
from pg_index as x
inner join pg_class as t on x.indrelid = t.oid
inner join pg_class as i on x.indexrelid = i.oid
where t.relnamespace = 'store'::regnamespace and t.relkind in ('r', 'p')
order by t.relname, i.relname;
