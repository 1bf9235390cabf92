-- Of each key the newest row; keys cleaned as every delivery is.
insert into pg_temp.source_row (record_key, version_at)
select
    record_key,
    max(version_at) as version_at
from staged_row
where record_key is not null
group by record_key
