-- name: has_services
select exists(
    select from clearance.service
);

-- name: batches_to_apply
-- Loaded batches of cases and evaluations that the stored state does not contain yet.
select b.batch_id
from ledger.batch as b
where
    b.dataset in ('service_case', 'evaluation') and b.status = 'loaded'
    and not exists (
        select from clearance.applied_batch as a
        where a.batch_id = b.batch_id
    )
order by b.batch_id;

-- name: touched_keys
-- The services that batches touched: those whose case was written, those that an evaluation names, and those that it
-- named before.
create temp table touched_key on commit drop as
select c.record_key
from store.service_case as c
where c.batch_id = any(%(batches)s::bigint[])
union
select e.case_number || '|' || e.service_number as record_key
from store.evaluation as e
where e.batch_id = any(%(batches)s::bigint[])
union
select e.case_number || '|' || e.service_number as record_key
from store.evaluation_history as e
where e.replaced_by_batch_id = any(%(batches)s::bigint[]);

-- name: read_services
-- Which services are evaluable, and since when they are rated, by the store as it is now, for the services in `scope`:
-- those that batches touched, or all. All other statements read the result in clearance.service.
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
group by c.record_key;

-- name: add_places
insert into clearance.place (district, handling_department, hall, "window", handler)
select distinct
    r.district,
    r.handling_department,
    r.hall,
    r."window",
    r.handler
from refreshed as r
where
    not exists (
        select from clearance.place as p
        where
            p.district = r.district and p.handling_department = r.handling_department and p.hall = r.hall
            and p."window" = r."window" and p.handler = r.handler
    );

-- name: add_items
-- The newest names of the service items.
insert into clearance.service_item (service_item_code, service_item_name)
select distinct on (r.service_item_code)
    r.service_item_code,
    r.service_item_name
from refreshed as r
where r.service_item_code is not null and r.service_item_name is not null
order by r.service_item_code asc, r.source_updated_at desc nulls last, r.record_key asc
on conflict (service_item_code)
do update
    set service_item_name = excluded.service_item_name
    where service_item.service_item_name <> excluded.service_item_name;

-- name: changed_services
-- The changes of the stored state, with the values before.
create temp table changed on commit drop as
select
    r.record_key,
    r.case_number,
    r.service_number,
    r.version_no,
    p.place_id,
    r.service_item_code,
    r.finished_at,
    r.rated_at,
    r.default_at,
    s.finished_at as finished_before,
    coalesce(s.version_no, 0) <> r.version_no as is_new_version
from refreshed as r
inner join clearance.place as p
    on
        r.district = p.district and r.handling_department = p.handling_department and r.hall = p.hall
        and r."window" = p."window" and r.handler = p.handler
left join clearance.service as s on r.record_key = s.record_key
where
    s.record_key is null
    or (s.version_no, s.place_id, s.finished_at, s.rated_at, s.default_at)
    is distinct from (r.version_no, p.place_id, r.finished_at, r.rated_at, r.default_at);

-- name: write_services
-- In the order of the key: this is the fastest order for so many rows.
insert into clearance.service (record_key, version_no, place_id, service_item_code, finished_at, rated_at, default_at)
select
    c.record_key,
    c.version_no,
    c.place_id,
    c.service_item_code,
    c.finished_at,
    c.rated_at,
    c.default_at
from changed as c
order by c.record_key
on conflict (record_key)
do update
    set
        version_no = excluded.version_no,
        place_id = excluded.place_id,
        service_item_code = excluded.service_item_code,
        finished_at = excluded.finished_at,
        rated_at = excluded.rated_at,
        default_at = excluded.default_at;

-- name: record_applied
-- Known to every list from the next one on.
insert into clearance.applied_batch (batch_id, applied_at, before_list)
select
    b.batch_id,
    now(),
    (
        select coalesce(max(l.list_id), 0) + 1
        from clearance.list as l
    )
from unnest(%(batches)s::bigint[]) as b (batch_id);

-- name: sources_read
-- Up to when each source is known: the time at which its newest loaded delivery was read, or, for a file, written. A
-- reading of an interval that ended earlier counts up to the end of the interval.
select
    s.department,
    s.feed,
    (
        select max(least(b.source_modified_at, b.window_end))
        from ledger.batch as b
        where b.department = s.department and b.feed = s.feed and b.status = 'loaded'
            -- Batches that process stored data again, or a month of the past, do not show that a source is up to date.
            and b.origin = 'delivery'
    ) as read_at
from unnest(%(departments)s::text[], %(feeds)s::text[]) as s (department, feed);
