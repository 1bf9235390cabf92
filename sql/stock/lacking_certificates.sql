-- What should be in the store and is not: problem records (问题数据) that stand for a certificate that the store does not
-- have, among them what a comparison found missing; and what cases produced, unless a problem record stands for it.
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

-- A certificate that came wrong in two ways, or from two deliveries, lacks once; one without a key cannot be told.
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
    -- Who collects the type, of 其他审批证照 as of any other; where nobody does, who told of the case.
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
    )
