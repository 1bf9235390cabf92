-- name: comparable
-- Whether the keys of a snapshot can be compared: each row must have one, and no newer snapshot be loaded already. And,
-- of those newer ones, when the first came, and when the first came whose own keys could be read.
select
    case
        when
            %(unreadable)s > 0
            or exists (
                select from staged_row
                where record_key is null
            )
            then 'keys_unreadable'
        when min(landed_at) is not null then 'overtaken'
        else 'compared'
    end as compared,
    min(landed_at) as overtaken_at,
    min(landed_at) filter (where compared in ('compared', 'overtaken')) as compared_at
from ledger.batch
where
    department = %(department)s and feed = %(feed)s and status = 'loaded' and landed_at > %(landed_at)s
    and origin <> 'reconciliation';

-- name: mark_overtaken
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
where {scope} and s.record_key = g.record_key;

-- name: gone_since
-- A register that is loaded behind newer ones does not hold what the first of these no longer held either: that is gone
-- since this one. What came between the two is nobody's, so it was in neither.
with gone_later as (
    select s.record_key
    from {store} as s
    where
        {scope} and s.department = %(department)s and s.feed = %(feed)s
        and s.removal = 'disappeared' and s.removed_at = %(overtaken_at)s
        and not exists (
            select from staged_row as c
            where c.record_key = s.record_key
        )
),

-- How it stood last: behind that, it may have been said to be gone more than once, each time since a register before.
stood as (
    select distinct on (s.record_key)
        s.record_key,
        b.landed_at
    from {history} as s
    inner join gone_later as l on s.record_key = l.record_key
    inner join ledger.batch as b on s.batch_id = b.batch_id
    where {scope} and s.removal is null
    order by s.record_key asc, s.version_no desc
),

gone as (
    select h.record_key
    from stood as h
    where h.landed_at < %(landed_at)s
),

kept as (
    {kept_versions}
    where {scope} and s.record_key in (select g.record_key from gone as g)
)

update {store} as s
set
    removed_at = %(landed_at)s,
    version_no = s.version_no + 1,
    batch_id = %(batch_id)s,
    loaded_at = now()
where {scope} and s.record_key in (select g.record_key from gone as g);

-- name: mark_disappeared
-- A full comparison of keys: what the store has of this feed and the whole register no longer holds is marked.
-- A quarantined row is there all the same.
with gone as (
    select s.record_key
    from {store} as s
    where
        {scope}
        -- As in stage/recognise: not for the planner to guess at. Of a feed that the statistics do not know it would
        -- expect next to nothing, and look through the whole delivery for every certificate.
        and coalesce(
            s.department = %(department)s and s.feed = %(feed)s
            and s.removal is null
            and s.batch_id <> %(batch_id)s,
            false
        )
        and not exists (
            select from staged_row as c
            where c.record_key = s.record_key
        )
        and not exists (
            select from recognised_row as r
            where r.record_key = s.record_key
        )
),

kept as (
    {kept_versions}
    where {scope} and s.record_key in (select g.record_key from gone as g)
)

update {store} as s
set
    removed_at = %(landed_at)s,
    removal = 'disappeared',
    version_no = s.version_no + 1,
    batch_id = %(batch_id)s,
    loaded_at = now()
where {scope} and s.record_key in (select g.record_key from gone as g);

-- name: gone
-- Problems of a feed that the whole register, as it was delivered, no longer holds.
with gone as (
    update quarantine.problem_row
    set
        status = 'closed',
        solution = 'gone',
        corrected_by_batch_id = %(batch_id)s,
        solved_at = now(),
        closed_at = now(),
        updated_at = now()
    where
        department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
        and last_batch_id < %(batch_id)s
    returning problem_id
)

insert into quarantine.problem_event (problem_id, event, batch_id)
select
    problem_id,
    'gone',
    %(batch_id)s
from gone;
