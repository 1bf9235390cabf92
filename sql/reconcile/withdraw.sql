-- What a person decided about certificates that their source has no more: they are marked as those are that a whole
-- register no longer holds, their version is kept, and the problem records are closed with who decided and why.
with gone as (
    select
        d.difference_id,
        d.problem_id,
        s.record_key
    from reconciliation.difference as d
    inner join {store} as s on d.record_key = s.record_key
    where
        d.department = %(department)s and d.feed = %(feed)s
        and d.kind = 'missing_at_source' and d.settled_at is null
        and (%(problem_ids)s::bigint[] is null or d.problem_id = any(%(problem_ids)s::bigint[]))
        and {scope} and s.department = %(department)s and s.feed = %(feed)s
        and s.removal is null
        -- Written to since, it is not what was compared.
        and (d.store_at is null or d.store_at = s.version_at)
),

kept as (
    {kept_versions}
    where {scope} and s.record_key in (select g.record_key from gone as g)
),

withdrawn as (
    update {store} as s
    set
        removed_at = %(begun)s,
        removal = 'disappeared',
        version_no = s.version_no + 1,
        batch_id = %(batch_id)s,
        loaded_at = now()
    where {scope} and s.record_key in (select g.record_key from gone as g)
),

settled as (
    update reconciliation.difference
    set settled_at = now()
    where difference_id in (select g.difference_id from gone as g)
),

closed as (
    update quarantine.problem_row
    set
        status = 'closed',
        solution = 'gone',
        corrected_by_batch_id = %(batch_id)s,
        solved_at = now(),
        closed_at = now(),
        updated_at = now()
    where
        problem_id in (select g.problem_id from gone as g)
        and status in ('open', 'returned', 'waived')
    returning problem_id
),

told as (
    insert into quarantine.problem_event (problem_id, event, batch_id, done_by, reason)
    select
        c.problem_id,
        'gone',
        %(batch_id)s,
        %(done_by)s,
        %(reason)s
    from closed as c
)

update ledger.batch
set disappeared = (select count(*) from gone)
where batch_id = %(batch_id)s
returning disappeared
