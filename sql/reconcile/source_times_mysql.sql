-- As source_times_postgresql, for MySQL and MariaDB. Keys are told apart byte by byte, whatever the collation.
select
    cast({key} as binary) as record_key,
    coalesce(max(case when {at} >= '1900-01-01' then {at} end), cast('1900-01-01' as datetime(6))) as newest
from {table}
where {has_key} and {key} in ({keys})
group by record_key
