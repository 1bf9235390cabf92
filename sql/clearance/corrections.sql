-- name: touch_services
-- Without a list there is nothing to compare with.
insert into clearance.touched (record_key, is_compared)
select
    c.record_key,
    false
from changed as c
where exists (select from clearance.list)
on conflict (record_key)
do update
    set is_compared = false
    where touched.is_compared;

-- name: differences
-- Services of `candidate` whose membership or section at the cut-off of some lists (given by their newest versions) has
-- changed. An archived service stays archived, a listed one is not archived, and an added one must have been young
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
    -- Look-ups by key, however many there are: the planner would read all entries instead.
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
    or (o.record_key is not null and (o.default_at is null) <> (n.default_at is null));

-- name: differing_lists
select distinct list_id
from difference;

-- name: correct_list
-- The next version of a list, as its difference. An added row has its state relative to what was shown before the
-- list's day. Returns the change of each count.
with written as (
    insert into clearance.correction (
        list_id, record_key, change, version_no, place_id, finished_at, default_at, since_day, is_reopened
    )
    select
        %(list_id)s,
        d.record_key,
        d.change,
        d.version_no,
        d.place_id,
        d.finished_at,
        d.default_at,
        coalesce(d.since_day, y.since_day, %(day)s),
        coalesce(
            d.is_reopened,
            y.is_reopened,
            exists (
                select
                from clearance.listings_before(
                        d.record_key, %(last_before)s::bigint, %(day)s::date, %(last_shown)s::bigint
                    )
            )
        )
    from difference as d
    left join
        lateral clearance.row_of(
            d.record_key, %(yesterday_base)s::bigint, %(yesterday_corrections)s::bigint[]
        ) as y
        on d.record_key = y.record_key
    where d.list_id = %(corrected_list)s
    returning *
),

moved as (
    select
        w.is_reopened,
        w.since_day = %(day)s as is_of_day,
        case w.change when 'added' then 1 when 'removed' then -1 else 0 end as number,
        (w.change <> 'removed' and w.default_at is null)::integer
        - (w.change <> 'added' and d.default_before is null)::integer as unrated,
        (w.change <> 'removed' and w.default_at is not null)::integer
        - (w.change <> 'added' and d.default_before is not null)::integer as default_rated
    from written as w
    inner join difference as d on w.record_key = d.record_key and d.list_id = %(corrected_list)s
)

select
    coalesce(sum(unrated), 0) as unrated,
    coalesce(sum(default_rated), 0) as default_rated,
    coalesce(sum(number) filter (where is_of_day and not is_reopened), 0) as new,
    coalesce(sum(number) filter (where not is_of_day), 0) as carried_over,
    coalesce(sum(number) filter (where is_of_day and is_reopened), 0) as reopened
from moved;

-- name: touch_differences
-- The place of corrected services on the next trunk list may differ too.
insert into clearance.touched (record_key, is_compared)
select distinct
    d.record_key,
    true
from difference as d
on conflict (record_key)
do nothing;

-- name: record_compared
-- The final lists of the last days agree with the facts now.
update clearance.touched
set is_compared = true
where not is_compared;

-- name: forget_touched
-- After a trunk list, which contains all of them. Services with which final lists were not compared yet wait for the
-- next final list.
delete from clearance.touched
where is_compared or %(all_compared)s;
