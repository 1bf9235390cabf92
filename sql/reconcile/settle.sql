-- Differences of the compared period that were not found again; their problem records are corrected, unless a load
-- settled them already. A record of another kind of difference for the same key stands no more either.
with gone as (
    update reconciliation.difference as d
    set settled_at = now()
    where
        d.department = %(department)s and d.feed = %(feed)s and d.settled_at is null
        and (not %(timed)s or coalesce(d.source_at, d.store_at) between %(since)s and %(until)s)
        and not exists (
            select from pg_temp.found as f
            where f.record_key = d.record_key and f.explanation is null
        )
),

solved as (
    update quarantine.problem_row as q
    set
        status = 'corrected',
        solution = 'corrected',
        solved_at = now(),
        updated_at = now()
    where
        q.department = %(department)s and q.feed = %(feed)s and q.status in ('open', 'returned', 'waived')
        and q.rules && %(own_rules)s::text[]
        and (not %(timed)s or q.version_at between %(since)s and %(until)s)
        and not exists (
            select from pg_temp.found as f
            where
                f.record_key = q.record_key and f.explanation is null
                and q.rules = array['reconciliation.' || f.kind]
        )
    returning q.problem_id
)

insert into quarantine.problem_event (problem_id, event)
select
    problem_id,
    'corrected'
from solved
