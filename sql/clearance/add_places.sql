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
    )
