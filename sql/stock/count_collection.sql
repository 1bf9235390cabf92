-- Collected and lacking by department, license type and year of issue. Collected is what stands in the store and should
-- be there: issued since a day, or still valid, or produced by a case.
with counted as (
    select
        s.department,
        s.license_type,
        coalesce(extract(year from s.issue_date)::integer, 0) as year,
        count(*) as collected,
        0 as lacking_of_cases,
        0 as lacking_of_problems,
        0 as lacking_of_comparison
    from store.certificate as s
    where
        s.removal is null
        and (
            s.issue_date >= %(since_day)s
            or (
                (s.status is null or s.status = 'valid') and (s.valid_to is null or s.valid_to >= %(day)s)
            )
            or (s.license_type, s.record_key) in (
                select
                    f.license_type,
                    f.record_key
                from pg_temp.produced_in_store as f
            )
        )
    group by s.department, s.license_type, year
    union all
    select
        l.department,
        l.license_type,
        l.year,
        0 as collected,
        count(*) filter (where l.kind = 'case') as lacking_of_cases,
        count(*) filter (where l.kind = 'problem') as lacking_of_problems,
        count(*) filter (where l.kind = 'comparison') as lacking_of_comparison
    from pg_temp.lacking as l
    group by l.department, l.license_type, l.year
)

select
    department,
    license_type,
    year,
    sum(collected)::bigint as collected,
    sum(lacking_of_cases)::bigint as lacking_of_cases,
    sum(lacking_of_problems)::bigint as lacking_of_problems,
    sum(lacking_of_comparison)::bigint as lacking_of_comparison
from counted
group by department, license_type, year
order by department, license_type, year
