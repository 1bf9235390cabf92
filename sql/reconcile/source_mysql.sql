-- name: source_sums_mysql
-- As source_sums_postgresql, for MySQL and MariaDB. Keys are compared byte by byte, whatever the collation.
select
    date_format(newest, '%%Y-%%m-%%d') as day,
    count(*) as number,
    sum(
        cast(
            conv(left(md5(concat(record_key, '|', date_format(newest, '%%Y-%%m-%%d %%H:%%i:%%s.%%f'))), 15), 16, 10)
            as decimal(20, 0)
        )
    ) as checksum
from (
    select
        cast({key} as binary) as record_key,
        coalesce(max(case when {at} >= '1900-01-01' then {at} end), cast('1900-01-01' as datetime(6))) as newest
    from {table}
    where {has_key}
    group by record_key
) as newest_row
where newest >= %(since)s and newest <= %(until)s
group by day;

-- name: source_times_mysql
-- As source_times_postgresql, for MySQL and MariaDB. Keys are compared byte by byte, whatever the collation.
select
    cast({key} as binary) as record_key,
    coalesce(max(case when {at} >= '1900-01-01' then {at} end), cast('1900-01-01' as datetime(6))) as newest
from {table}
where {has_key} and {key} in ({keys})
group by record_key;
