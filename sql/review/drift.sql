-- name: drift
-- How the columns of each feed's last delivery of a night differ from those of the delivery before it.
with now_delivered as (
    select distinct on (department, feed) *
    from ledger.batch
    where
        origin = 'delivery' and repeats_batch_id is null and columns <> '{}'
        and recorded_at >= %(night_begin)s and recorded_at < %(night_end)s
    order by department asc, feed asc, batch_id desc
),

pair as (
    select
        n.department,
        n.feed,
        n.batch_id,
        n.columns,
        n.unknown_columns,
        p.batch_id as previous_batch_id,
        p.columns as previous_columns
    from now_delivered as n
    cross join lateral (
        select
            b.batch_id,
            b.columns
        from ledger.batch as b
        where
            b.department = n.department and b.feed = n.feed and b.batch_id < n.batch_id
            and b.origin = 'delivery' and b.repeats_batch_id is null and b.columns <> '{}'
        order by b.batch_id desc
        limit 1
    ) as p
),

share as (
    select
        s.batch_id,
        s.column_name,
        s.sampled,
        s.filled as filled_rows,
        s.average_length,
        s.filled::numeric / greatest(s.sampled, 1) as filled,
        s.digits::numeric / greatest(s.filled, 1) as digits,
        s.dates::numeric / greatest(s.filled, 1) as dates,
        s.han::numeric / greatest(s.filled, 1) as han
    from ledger.column_shape as s
)

select
    p.department,
    p.feed,
    c.column_name,
    'came' as change,
    c.column_name = any(p.unknown_columns) as is_unknown,
    null::text as detail
from pair as p
cross join lateral unnest(p.columns) as c (column_name)
where c.column_name <> all(p.previous_columns)
union all
select
    p.department,
    p.feed,
    c.column_name,
    'went' as change,
    false as is_unknown,
    null::text as detail
from pair as p
cross join lateral unnest(p.previous_columns) as c (column_name)
where c.column_name <> all(p.columns)
union all
select
    p.department,
    p.feed,
    n.column_name,
    'changed' as change,
    n.column_name = any(p.unknown_columns) as is_unknown,
    concat_ws(
        '；',
        case
            when abs(n.filled - o.filled) >= 0.5
                then format('有值 %%s → %%s', round(100 * o.filled) || '%%', round(100 * n.filled) || '%%')
        end,
        case
            when least(n.filled_rows, o.filled_rows) >= %(rows)s and abs(n.digits - o.digits) >= 0.5
                then format('纯数字 %%s → %%s', round(100 * o.digits) || '%%', round(100 * n.digits) || '%%')
        end,
        case
            when least(n.filled_rows, o.filled_rows) >= %(rows)s and abs(n.dates - o.dates) >= 0.5
                then format('日期 %%s → %%s', round(100 * o.dates) || '%%', round(100 * n.dates) || '%%')
        end,
        case
            when least(n.filled_rows, o.filled_rows) >= %(rows)s and abs(n.han - o.han) >= 0.5
                then format('含汉字 %%s → %%s', round(100 * o.han) || '%%', round(100 * n.han) || '%%')
        end,
        case
            when
                least(n.filled_rows, o.filled_rows) >= %(rows)s
                and greatest(n.average_length, o.average_length) >= 2 * least(n.average_length, o.average_length)
                and abs(n.average_length - o.average_length) >= 4
                then format('平均长度 %%s → %%s', o.average_length, n.average_length)
        end
    ) as detail
from pair as p
inner join share as n on p.batch_id = n.batch_id
inner join share as o on p.previous_batch_id = o.batch_id and n.column_name = o.column_name
where
    least(n.sampled, o.sampled) >= %(rows)s
    and (
        abs(n.filled - o.filled) >= 0.5
        or (
            least(n.filled_rows, o.filled_rows) >= %(rows)s
            and (
                abs(n.digits - o.digits) >= 0.5
                or abs(n.dates - o.dates) >= 0.5
                or abs(n.han - o.han) >= 0.5
                or (
                    greatest(n.average_length, o.average_length)
                    >= 2 * least(n.average_length, o.average_length)
                    and abs(n.average_length - o.average_length) >= 4
                )
            )
        )
    )
order by department asc, feed asc, change asc, column_name asc;
