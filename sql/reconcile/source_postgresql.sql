-- name: source_sums_postgresql
-- At the source: the newest time of each key, by day in Asia/Shanghai. Times are cut to microseconds, as we store them.
select
    to_char(newest, 'YYYY-MM-DD') as day,
    count(*) as number,
    sum(
        ('x' || substr(md5(record_key || '|' || to_char(newest, 'YYYY-MM-DD HH24:MI:SS.US')), 1, 15))::bit(60)::bigint
    ) as checksum
from (
    select
        {key} as record_key,
        coalesce(max(case when {at} >= timestamp '1900-01-01' then {at} end), timestamp '1900-01-01') as newest
    from {table}
    where {has_key}
    group by record_key
) as newest_row
where newest >= %(since)s and newest <= %(until)s
group by day;

-- name: source_times_postgresql
-- At the source: the newest time of some keys, in the form of source_sums_postgresql.
select
    {key} as record_key,
    coalesce(max(case when {at} >= timestamp '1900-01-01' then {at} end), timestamp '1900-01-01') as newest
from {table}
where {has_key} and {key} in ({keys})
group by record_key;
