-- name: delivered_column
-- The department's own names of the columns c1, c2, … of text_row.
create unlogged table delivered_column with (autovacuum_enabled = off) as
select
    place,
    name
from unnest(%(names)s::text[]) with ordinality as delivered (name, place);

-- name: bad_row
-- Rows that could not be read as records.
create unlogged table bad_row (
    row_no bigint not null,
    rule_id text not null,
    detail text not null,
    byte_offset bigint not null,
    byte_length bigint not null,
    sha256 text not null,
    payload bytea not null
)
with (autovacuum_enabled = off);

-- name: keep_redriven
-- For a landed file that is processed again for its unsolved problem records only: all its other rows stay as they are.
with redriven as (
    select row_no
    from quarantine.redriven_row
    where batch_id = %(batch_id)s
),

other_text as (
    delete from text_row
    where row_no not in (select r.row_no from redriven as r)
),

other_bad as (
    delete from bad_row
    where row_no not in (select r.row_no from redriven as r)
)

select
    (select count(*) from text_row as t inner join redriven as r on t.row_no = r.row_no) as readable,
    (select count(*) from bad_row as b inner join redriven as r on b.row_no = r.row_no) as unreadable;

-- name: holds_value
-- Whether a column holds anything but blanks.
select exists(
    select from text_row
    where {name} <> '' and btrim({name}, e' \t\n\r\u3000\u00a0\u200b\ufeff') <> ''
);

-- name: new_text_row
select t.*
from text_row as t
where not exists (
        select from recognised_row as r
        where r.row_no = t.row_no
    );

-- name: no_text_row
select *
from text_row
where false;

-- name: upserting_row
-- The rows that the suites check: rows that delete a record have little more than its key.
create view upserting_row as
select *
from staged_row
where not removes;

-- name: deleting_row
-- The rows that delete a record: few rules are evaluated for them.
create view deleting_row as
select *
from staged_row
where removes;

-- name: times_of_day
-- How many values of a time are at 00:00, and how many are not.
select
    count(*) filter (where ({field} at time zone 'Asia/Shanghai')::time = '00:00') as at_midnight,
    count(*) filter (where ({field} at time zone 'Asia/Shanghai')::time <> '00:00') as timed
from staged_row;

-- name: staged_tables
select count(*)
from pg_catalog.pg_tables
where schemaname = %(schema)s and tablename = any(%(tables)s);

-- name: holds_rows
-- A crash of the server empties unlogged tables completely; the balance of the load counts the rows one by one.
select
    exists(select from recognised_row) as recognised_rows,
    exists(select from staged_row) as staged_rows,
    exists(select from bad_row) as bad_rows;

-- name: record_staged
update ledger.batch
set
    status = 'staged',
    fetched = %(fetched)s,
    staged = %(staged)s,
    recognised = %(recognised)s,
    recognised_after = %(recognised_after)s,
    blank_lines = %(blank_lines)s,
    footers = %(footers)s,
    notes = %(notes)s,
    columns = %(columns)s,
    unknown_columns = %(unknown_columns)s,
    sheets = %(sheets)s,
    staged_at = now(),
    validated_at = null
where batch_id = %(batch_id)s;

-- name: column_shapes
-- The shape of the first rows of a delivery, column by column. The values are extracted from their rows once: otherwise
-- each of the counts would do it again.
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
        average_length = excluded.average_length;
