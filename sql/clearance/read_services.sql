-- What is evaluable, and since when it is rated, as the store is now, for the services in `scope`: those that batches
-- touched, or all. Everything else reads what comes of it in clearance.service.
create temp table refreshed on commit drop as
select
    c.record_key,
    c.case_number,
    c.service_number,
    c.version_no,
    c.service_item_code,
    c.service_item_name,
    c.source_updated_at,
    coalesce(c.district, '') as district,
    coalesce(c.handling_department, '') as handling_department,
    coalesce(c.hall, '') as hall,
    coalesce(c."window", '') as "window",
    coalesce(c.handler, '') as handler,
    case
        when c.case_state = 'finished' and coalesce(c.is_internal, '') <> 'yes' and c.removal is null then c.finished_at
    end as finished_at,
    min(e.evaluated_at) filter (where coalesce(e.is_default, '') <> 'yes') as rated_at,
    min(e.evaluated_at) filter (where e.is_default = 'yes') as default_at
from store.service_case as c
left join store.evaluation as e
    on
        c.case_number = e.case_number and c.service_number = e.service_number
        and e.is_effective = 'yes' and e.removal is null
where {scope}
group by c.record_key
