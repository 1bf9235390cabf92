-- name: produced_certificates
-- The certificates that cases produced since a day, one row for each, with the license type of its name. The newest
-- result counts. Names that are not those of a license type are certificates of other types.
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
order by license_type asc, certificate_number asc, other_name asc, produced_at desc;

-- name: found_produced
-- Which of the certificates that cases produced are in the store, under their number. One that was removed since does
-- not lack: its department said that it no longer exists.
create temporary table produced_in_store on commit drop as
select distinct
    p.license_type,
    p.certificate_number,
    p.other_name,
    s.record_key
from pg_temp.produced as p
inner join store.certificate as s
    on
        p.license_type = s.license_type
        and clean.comparison(p.certificate_number) = clean.comparison(s.certificate_number)
where p.other_name is null or p.other_name in (s.license_type_name, s.certificate_name);

-- name: lacking_certificates
-- What should be in the store and is not: problem records (问题数据) of certificates that the store does not have,
-- including those that a comparison found missing; and results of cases, unless there is a problem record for the same
-- certificate.
create temporary table lacking on commit drop as
with problem as (
    select
        q.problem_id,
        q.department,
        q.license_type,
        q.record_key,
        q.reasons,
        q.rules && %(comparison_rules)s::text[] as is_of_comparison
    from quarantine.problem_row as q
    where
        q.dataset = 'certificate' and q.status in ('open', 'returned', 'waived')
        and not exists (
            select from store.certificate as s
            where s.license_type = q.license_type and s.record_key = q.record_key and s.removal is null
        )
),

-- A certificate that was wrong in two ways, or in two deliveries, lacks once; without a key this cannot be known.
known_problem as (
    select distinct on (department, license_type, coalesce(record_key, problem_id::text)) *
    from problem
    order by department asc, license_type asc, coalesce(record_key, problem_id::text) asc, problem_id asc
)

select
    k.department,
    k.license_type,
    0 as year,
    case when k.is_of_comparison then 'comparison' else 'problem' end as kind,
    k.problem_id,
    null::text as case_number,
    null::text as certificate_name,
    k.record_key as certificate_number,
    null::text as issuing_authority,
    null::timestamptz as produced_at,
    array_to_string(k.reasons, '；') as reason
from known_problem as k
union all
select
    -- The department that collects the type, also for 其他审批证照; where there is none, the department that reported the
    -- case.
    coalesce(d.department, p.department) as department,
    p.license_type,
    extract(year from p.produced_at)::integer as year,
    'case' as kind,
    null as problem_id,
    p.case_number,
    p.certificate_name,
    p.certificate_number,
    p.issuing_authority,
    p.produced_at,
    null as reason
from pg_temp.produced as p
left join (
    select
        u.license_type,
        u.department
    from unnest(%(collected_types)s::text[], %(departments)s::text[]) as u (license_type, department)
) as d on p.license_type = d.license_type
where
    not exists (
        select from pg_temp.produced_in_store as f
        where
            f.license_type = p.license_type and f.certificate_number = p.certificate_number
            and f.other_name is not distinct from p.other_name
    )
    and not exists (
        select from known_problem as k
        where
            k.license_type = p.license_type
            and clean.comparison(p.certificate_number) = any(string_to_array(k.record_key, '|'))
    );

-- name: count_collection
-- Collected and lacking by department, license type and year of issue. Collected certificates are in the store and due:
-- issued since a day, or still valid, or produced by a case.
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
order by department, license_type, year;

-- name: lacking_by_department
select *
from pg_temp.lacking
order by department, license_type, kind, produced_at, problem_id, certificate_number;

-- name: forget_collection_rate
delete from stock.collection_rate
where day = %(day)s;

-- name: keep_collection_rate
insert into stock.collection_rate (
    day, department, license_type, year, collected, lacking_of_cases, lacking_of_problems, lacking_of_comparison
) values (
    %(day)s, %(department)s, %(license_type)s, %(year)s, %(collected)s, %(lacking_of_cases)s, %(lacking_of_problems)s,
    %(lacking_of_comparison)s
);

-- name: newest_collection_rate
select
    day,
    department,
    license_type,
    year,
    collected,
    lacking_of_cases,
    lacking_of_problems,
    lacking_of_comparison
from stock.collection_rate
where day = (select max(c.day) from stock.collection_rate as c)
order by department, license_type, year;
