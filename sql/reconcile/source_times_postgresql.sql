-- At the source: of some keys the newest time, as source_sums_postgresql takes it.
select
    {key} as record_key,
    coalesce(max(case when {at} >= timestamp '1900-01-01' then {at} end), timestamp '1900-01-01') as newest
from {table}
where {has_key} and {key} in ({keys})
group by record_key
