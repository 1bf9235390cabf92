-- Services of `candidate` whose membership or section at the cut-off of some lists (given by their newest versions) is
-- now another. Who was archived by then stays so, who is listed is not archived, and who is added must have been young
-- enough for that list.
create temp table difference on commit drop as
with target as (
    select *
    from clearance.list
    where list_id = any(%(lists)s::bigint[])
),

corrected as (
    select distinct on (t.list_id, k.record_key)
        t.list_id as target_list,
        k.*
    from target as t
    inner join clearance.correction as k on k.list_id = any(t.corrections)
    inner join candidate as c on k.record_key = c.record_key
    order by t.list_id asc, k.record_key asc, k.list_id desc
),

listed as (
    select
        t.list_id,
        e.record_key,
        e.version_no,
        e.place_id,
        e.finished_at,
        e.default_at,
        e.since_day,
        e.is_reopened
    from candidate as c
    -- By key, however many there are: the planner would rather read all entries.
    cross join
        lateral (
            select s.*
            from clearance.entry as s
            where s.record_key = c.record_key
            order by s.first_list
            offset 0
        ) as e
    inner join target as t on e.first_list <= t.base_list and (e.until_list is null or e.until_list > t.base_list)
    where
        not exists (
            select from corrected as k
            where k.target_list = t.list_id and k.record_key = e.record_key
        )
    union all
    select
        target_list,
        record_key,
        version_no,
        place_id,
        finished_at,
        default_at,
        since_day,
        is_reopened
    from corrected
    where change <> 'removed'
),

unrated as (
    select
        t.list_id,
        c.record_key,
        c.version_no,
        c.place_id,
        c.finished_at,
        case when clearance.is_by(c.default_at, t.cutoff_at, t.kind) then c.default_at end as default_at,
        c.finished_at >= t.oldest_finish as is_young
    from candidate as c
    inner join target as t on clearance.is_by(c.finished_at, t.cutoff_at, t.kind)
    where
        clearance.is_by(c.rated_at, t.cutoff_at, t.kind) is not true
        and not exists (
            select from clearance.archived as a
            where a.record_key = c.record_key and a.cutoff_at <= t.cutoff_at
        )
)

select
    coalesce(o.list_id, n.list_id) as list_id,
    coalesce(o.record_key, n.record_key) as record_key,
    case when o.record_key is null then 'added' when n.record_key is null then 'removed' else 'changed' end as change,
    coalesce(o.version_no, n.version_no) as version_no,
    coalesce(o.place_id, n.place_id) as place_id,
    coalesce(o.finished_at, n.finished_at) as finished_at,
    case when n.record_key is null then o.default_at else n.default_at end as default_at,
    o.since_day,
    o.is_reopened,
    o.default_at as default_before
from listed as o
full join unrated as n on o.list_id = n.list_id and o.record_key = n.record_key
where
    (o.record_key is null and n.is_young)
    or n.record_key is null
    or (o.record_key is not null and (o.default_at is null) <> (n.default_at is null))
