-- The certificates that cases produced since a day, one row for each, with the license type that its name says. The
-- newest result tells of it. Names that are no license type's are certificates of other types.
create temporary table produced on commit drop as
select distinct on (license_type, certificate_number, other_name)
    coalesce(t.license_type, %(any_type)s) as license_type,
    r.certificate_number,
    case when t.license_type is null then r.certificate_name end as other_name,
    r.certificate_name,
    r.case_number,
    r.issuing_authority,
    r.produced_at,
    r.department
from store.case_result as r
left join (
    select
        u.name,
        u.license_type
    from unnest(%(names)s::text[], %(license_types)s::text[]) as u (name, license_type)
) as t on r.certificate_name = t.name
where r.removal is null and r.result_type = 'certificate' and r.produced_at >= %(since)s
order by license_type asc, certificate_number asc, other_name asc, produced_at desc
