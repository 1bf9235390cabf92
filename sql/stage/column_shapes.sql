-- What the first rows of a delivery look like, column by column. The values are cut out of their rows once: each of the
-- counts would do it anew.
with cell as materialized (
    select
        d.place,
        coalesce(btrim(sampled.content ->> ('c' || d.place)), '') as value
    from (
        select to_jsonb(t) as content
        from text_row as t
        where t.ctid < %(pages_end)s::tid
    ) as sampled
    cross join delivered_column as d
)

insert into ledger.column_shape (
    batch_id, place, column_name, sampled, filled, digits, dates, han, average_length
)
select
    %(batch_id)s,
    place,
    (%(names)s::text[])[place],
    count(*),
    count(*) filter (where value <> ''),
    count(*) filter (where value ~ '^[0-9.]+$'),
    count(*) filter (
        where
        value ~ '^(19|20)[0-9]{2}[-/.年](0?[1-9]|1[0-2])[-/.月][0-3]?[0-9]'
        or value ~ '^(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]($|[^0-9])'
    ),
    count(*) filter (where value ~ '[\u4e00-\u9fff]'),
    coalesce(round(avg(length(value)) filter (where value <> ''), 1), 0)
from cell
group by place
on conflict (batch_id, place)
do update
    set
        column_name = excluded.column_name,
        sampled = excluded.sampled,
        filled = excluded.filled,
        digits = excluded.digits,
        dates = excluded.dates,
        han = excluded.han,
        average_length = excluded.average_length
