create temporary table source_key as
select
    record_key,
    max(version_at) as version_at
from pg_temp.source_row
group by record_key
