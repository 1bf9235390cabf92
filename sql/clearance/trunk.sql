-- name: trunk_position
-- The place of a day's list: the last trunk list of an earlier day, the number of the next list of any kind, and the
-- newest list that was published before the first one of the day, which is `newest_before` when there is none yet.
select
    max(list_id) filter (where is_trunk and day < %(day)s) as last_before,
    coalesce(max(list_id), 0) + 1 as next_list,
    coalesce(min(last_shown) filter (where day = %(day)s), %(newest_before)s) as last_shown
from clearance.list;

-- name: trunk_list
-- The last trunk list with an earlier cut-off; without a cut-off, the last of all.
select *
from clearance.list
where is_trunk and (%(before)s::timestamptz is null or cutoff_at < %(before)s)
order by list_id desc
limit 1;

-- name: yesterday_list
-- The final list of the last earlier day that has one, in the newest version among lists up to `last_shown`.
select *
from clearance.list
where kind = 'final' and day < %(day)s and list_id <= %(last_shown)s
order by day desc, version desc
limit 1;

-- name: wanted_rows
-- The rows of a list, among `services`: who is unrated at its cut-off, in which section, and since when, compared with
-- yesterday's list. `last_before` is the last trunk list of an earlier day, `last_shown` the newest list that was
-- published before the first one of this day.
select
    s.record_key,
    s.version_no,
    s.place_id,
    s.finished_at,
    case when clearance.is_by(s.default_at, %(cutoff_at)s, %(kind)s) then s.default_at end as default_at,
    coalesce(y.since_day, %(day)s::date) as since_day,
    case
        when y.record_key is not null then y.is_reopened
        else
            -- A list that is published late may be the only earlier one.
            %(last_shown)s::bigint > 0
            and exists (
                select
                from clearance.listings_before(
                        s.record_key, %(last_before)s::bigint, %(day)s::date, %(last_shown)s::bigint
                    )
            )
    end as is_reopened
from {services} as s
left join lateral {yesterday} as y on s.record_key = y.record_key
where
    s.finished_at >= %(oldest_finish)s and s.finished_at <= %(cutoff_at)s
    and clearance.is_by(s.finished_at, %(cutoff_at)s, %(kind)s)
    and clearance.is_by(s.rated_at, %(cutoff_at)s, %(kind)s) is not true
    and not exists (
        select from clearance.archived as a
        where a.record_key = s.record_key and a.cutoff_at <= %(cutoff_at)s
    );

-- name: drop_entry_key
select clearance.drop_entry_key();

-- name: add_entry_key
select clearance.add_entry_key();

-- name: first_list_rows
-- The rows of the very first list: all of them are new.
insert into clearance.entry (
    record_key, first_list, version_no, place_id, finished_at, default_at, since_day, is_reopened
)
select
    w.record_key,
    %(list_id)s,
    w.version_no,
    w.place_id,
    w.finished_at,
    w.default_at,
    w.since_day,
    w.is_reopened
from ({wanted}) as w;

-- name: count_first
select
    count(*) filter (where default_at is null) as unrated,
    count(default_at) as default_rated,
    count(*) as new
from clearance.entry;

-- name: archive
-- Unrated services that are too old for a list: archived once, and permanently.
insert into clearance.archived (record_key, list_id, cutoff_at)
select
    s.record_key,
    %(list_id)s,
    %(cutoff_at)s
from {services} as s
where
    s.finished_at < %(oldest_finish)s
    and clearance.is_by(s.rated_at, %(cutoff_at)s, %(kind)s) is not true
    and not exists (
        select from clearance.archived as a
        where a.record_key = s.record_key
    );

-- name: count_too_old
-- How many services a late list would have archived: unrated at its cut-off, too old for it, and not archived by then.
select count(*) as too_old
from clearance.service as s
where
    s.finished_at < %(oldest_finish)s
    and clearance.is_by(s.rated_at, %(cutoff_at)s, %(kind)s) is not true
    and not exists (
        select from clearance.archived as a
        where a.record_key = s.record_key and a.cutoff_at <= %(cutoff_at)s
    );

-- name: advance_trunk
-- From the last trunk list to the next: stays that end or change are closed, and new ones start. Unchanged stays are
-- not written. Returns how many rows left and came: of either section, and of each state on the new list's day.
with closed as (
    update clearance.entry as e
    set until_list = %(list_id)s
    from ending as n
    where e.record_key = n.record_key and e.first_list = n.first_list
),

opened as (
    insert into clearance.entry (
        record_key, first_list, version_no, place_id, finished_at, default_at, since_day, is_reopened
    )
    select
        w.record_key,
        %(list_id)s,
        w.version_no,
        w.place_id,
        w.finished_at,
        w.default_at,
        w.since_day,
        w.is_reopened
    from wanted as w
    where
        not exists (
            select from clearance.entry as e
            where
                e.record_key = w.record_key and e.until_list is null and e.version_no = w.version_no
                and e.since_day = w.since_day and e.is_reopened = w.is_reopened
                and e.default_at is not distinct from w.default_at
        )
    -- In the order of the key: this is the fastest order for a million rows at once.
    order by w.record_key
    returning
        default_at,
        since_day,
        is_reopened
),

moved as (
    select
        -1 as number,
        c.default_at is null as is_unrated,
        c.since_day = %(day)s as is_of_day,
        c.is_reopened
    from ending as c
    union all
    select
        1 as number,
        o.default_at is null as is_unrated,
        o.since_day = %(day)s as is_of_day,
        o.is_reopened
    from opened as o
)

select
    coalesce(sum(number) filter (where is_unrated), 0) as unrated,
    coalesce(sum(number) filter (where not is_unrated), 0) as default_rated,
    coalesce(sum(number) filter (where is_of_day and not is_reopened), 0) as new,
    coalesce(sum(number) filter (where not is_of_day), 0) as carried_over,
    coalesce(sum(number) filter (where is_of_day and is_reopened), 0) as reopened
from moved;

-- name: branch_off
-- A list that is published late: how its rows differ from those of the trunk list before its day. Returns its counts.
with base as (
    select r.*
    from clearance.rows_of(%(base_list)s::bigint, null) as r
),

difference as (
    select
        coalesce(w.record_key, b.record_key) as record_key,
        case when b.record_key is null then 'added' when w.record_key is null then 'removed' else 'changed' end
            as change,
        coalesce(w.version_no, b.version_no) as version_no,
        coalesce(w.place_id, b.place_id) as place_id,
        coalesce(w.finished_at, b.finished_at) as finished_at,
        case when w.record_key is null then b.default_at else w.default_at end as default_at,
        coalesce(w.since_day, b.since_day) as since_day,
        coalesce(w.is_reopened, b.is_reopened) as is_reopened
    from wanted as w
    full join base as b on w.record_key = b.record_key
    where
        (w.version_no, w.default_at, w.since_day, w.is_reopened)
        is distinct from (b.version_no, b.default_at, b.since_day, b.is_reopened)
),

written as (
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
        d.since_day,
        d.is_reopened
    from difference as d
)

select
    count(*) filter (where default_at is null) as unrated,
    count(*) filter (where default_at is not null) as default_rated,
    count(*) filter (where since_day = %(day)s and not is_reopened) as new,
    count(*) filter (where since_day < %(day)s) as carried_over,
    count(*) filter (where since_day = %(day)s and is_reopened) as reopened
from wanted;
