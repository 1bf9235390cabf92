-- name: verify_list
-- The membership of a list by the store as it is now, computed without the stored state, and the rows of the list:
-- where the two differ.
with listed as (
    select
        r.record_key,
        r.finished_at,
        case when r.default_at is null then 'unrated' else 'default_rated' end as section
    from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r
),

unrated as (
    select
        c.record_key,
        case
            when exists (
                    select from store.evaluation as d
                    where
                        d.case_number = c.case_number and d.service_number = c.service_number
                        and d.is_effective = 'yes' and d.removal is null and d.is_default = 'yes'
                        and clearance.is_by(d.evaluated_at, %(cutoff_at)s, %(kind)s)
                )
                then 'default_rated'
            else 'unrated'
        end as section
    from store.service_case as c
    where
        c.case_state = 'finished' and coalesce(c.is_internal, '') <> 'yes' and c.removal is null
        and clearance.is_by(c.finished_at, %(cutoff_at)s, %(kind)s)
        -- A row that was young enough when it was listed is not archived by a correction of its time of finishing.
        and (
            c.finished_at >= %(oldest_finish)s
            or c.record_key in (
                select k.record_key
                from listed as k
                where k.finished_at >= %(oldest_finish)s
            )
        )
        and not exists (
            select from store.evaluation as e
            where
                e.case_number = c.case_number and e.service_number = c.service_number
                and e.is_effective = 'yes' and e.removal is null and coalesce(e.is_default, '') <> 'yes'
                and clearance.is_by(e.evaluated_at, %(cutoff_at)s, %(kind)s)
        )
        and not exists (
            select from clearance.archived as a
            where a.record_key = c.record_key and a.cutoff_at <= %(cutoff_at)s
        )
)

select
    l.section as listed,
    u.section as by_store,
    coalesce(l.record_key, u.record_key) as record_key
from listed as l
full join unrated as u on l.record_key = u.record_key
where l.section is distinct from u.section
order by 3;
