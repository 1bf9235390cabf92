-- How many rows failed each rule on a night, by feed, and in the 7 and 30 nights before.
with asked as (
    select
        b.department,
        b.feed,
        b.fetched,
        r.rule_id,
        r.severity,
        r.failed_rows,
        (b.recorded_at at time zone 'Asia/Shanghai')::date as night
    from ledger.batch as b
    inner join ledger.rule_result as r on b.batch_id = r.batch_id
    where
        b.origin = 'delivery' and not r.skipped
        and b.recorded_at >= %(history_begin)s and b.recorded_at < %(night_end)s
)

select
    department,
    feed,
    rule_id,
    max(severity) as severity,
    sum(failed_rows) filter (where night = %(night)s) as failed,
    coalesce(sum(fetched) filter (where night = %(night)s), 0) as fetched,
    coalesce(sum(failed_rows) filter (where night >= %(week_begin)s and night < %(night)s), 0) as failed_7,
    coalesce(sum(fetched) filter (where night >= %(week_begin)s and night < %(night)s), 0) as fetched_7,
    coalesce(sum(failed_rows) filter (where night < %(night)s), 0) as failed_30,
    coalesce(sum(fetched) filter (where night < %(night)s), 0) as fetched_30
from asked
group by department, feed, rule_id
having sum(failed_rows) filter (where night = %(night)s) > 0
order by failed desc, department asc, feed asc, rule_id asc
