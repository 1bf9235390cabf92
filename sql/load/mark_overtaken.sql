-- A register that is loaded behind newer ones brought records that the store did not have, or had as removed: a newer
-- register whose keys were read would have brought them as well, had it held them. They are gone since the first of
-- these; a record that was wrong there was there all the same, and is gone since the first one behind.
with newer as (
    select landed_at
    from ledger.batch
    where
        department = %(department)s and feed = %(feed)s and status = 'loaded' and landed_at > %(landed_at)s
        and compared in ('compared', 'overtaken')
),

wrong_there as (
    select
        q.record_key,
        max(b.landed_at) as landed_at
    from quarantine.problem_row as q
    inner join ledger.batch as b on q.last_batch_id = b.batch_id
    where q.department = %(department)s and q.feed = %(feed)s and b.landed_at > %(landed_at)s
    group by q.record_key
),

stood_before as (
    select s.record_key
    from {history} as s
    where {scope} and s.replaced_by_batch_id = %(batch_id)s and s.removal is null
),

gone as (
    select
        s.record_key,
        min(n.landed_at) as gone_at
    from {store} as s
    left join wrong_there as w on s.record_key = w.record_key
    inner join newer as n on n.landed_at > coalesce(w.landed_at, %(landed_at)s)
    where
        {scope} and s.batch_id = %(batch_id)s and s.removal is null
        and s.record_key not in (select b.record_key from stood_before as b)
    group by s.record_key
),

kept as (
    {kept_versions}
    where {scope} and s.record_key in (select g.record_key from gone as g)
)

update {store} as s
set
    removed_at = g.gone_at,
    removal = 'disappeared',
    version_no = s.version_no + 1,
    loaded_at = now()
from gone as g
where {scope} and s.record_key = g.record_key
