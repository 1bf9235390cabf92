-- What changed of the kept state, with what it was before.
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
    is distinct from (r.version_no, p.place_id, r.finished_at, r.rated_at, r.default_at)
