-- name: comparable
-- Whether the keys of a snapshot can be compared: each row must have one, and no newer snapshot may be loaded already.
-- For those newer ones, also when the first was delivered, and when the first whose own keys could be read.
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
-- A register that is loaded after newer ones contained records that the store did not have, or had as removed: a newer
-- register whose keys were read would have contained them as well. They are gone since the first of these; a record
-- that was wrong there was contained all the same, and is gone since the first register after it.
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
-- A register that is loaded after newer ones does not contain records that the first of these no longer contained
-- either: they are gone since this one. A record that was delivered between the two belongs to no register, so it was
-- in neither.
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

-- The last valid version: after it, the record may have been reported gone more than once, each time since an earlier
-- register.
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
-- A complete comparison of keys: records of this feed in the store that the register no longer contains are marked. A
-- quarantined row counts as contained.
with gone as (
    select s.record_key
    from {store} as s
    where
        {scope}
        -- As in stage/recognise: the planner must not estimate here. For a feed without statistics it would expect
        -- almost no rows, and scan the complete delivery for every certificate.
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
-- Problem records of a feed whose row the complete register, as delivered, no longer contains.
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
