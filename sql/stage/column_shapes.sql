-- What the first rows of a delivery look like, column by column.
insert into ledger.column_shape (
    batch_id, place, column_name, sampled, filled, digits, dates, han, average_length
)
select
    %(batch_id)s,
    d.place,
    (%(names)s::text[])[d.place],
    count(*),
    count(*) filter (where v.value <> ''),
    count(*) filter (where v.value ~ '^[0-9.]+$'),
    count(*) filter (
        where
        v.value ~ '^(19|20)[0-9]{2}[-/.年](0?[1-9]|1[0-2])[-/.月][0-3]?[0-9]'
        or v.value ~ '^(19|20)[0-9]{2}(0[1-9]|1[0-2])[0-3][0-9]($|[^0-9])'
    ),
    count(*) filter (where v.value ~ '[\u4e00-\u9fff]'),
    coalesce(round(avg(length(v.value)) filter (where v.value <> ''), 1), 0)
from (
    select to_jsonb(t) as content
    from text_row as t
    where t.ctid < %(pages_end)s::tid
) as sampled
cross join delivered_column as d
cross join lateral (select coalesce(btrim(sampled.content ->> ('c' || d.place)), '') as value) as v
group by d.place
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
