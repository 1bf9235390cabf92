-- name: newest_list
-- The list of the latest cut-off, in its newest version.
select *
from clearance.list
order by cutoff_at desc, version desc
limit 1;

-- name: list_by_id
select *
from clearance.list
where list_id = %(list_id)s;

-- name: list_by_version
-- One version of a list, the newest when none is requested.
select *
from clearance.list
where day = %(day)s and kind = %(kind)s and (%(version)s::integer is null or version = %(version)s)
order by version desc
limit 1;

-- name: earlier_version
-- The version before one of a list, or the version `since` that is requested. After a restore numbers are passed over.
select *
from clearance.list
where
    day = %(day)s and kind = %(kind)s and version < %(version)s
    and (%(since)s::integer is null or version = %(since)s)
order by version desc
limit 1;

-- name: list_versions
-- All versions of the lists of a day, in the order of their cut-offs.
select *
from clearance.list
where day = %(day)s
order by cutoff_at, version;

-- name: final_lists
-- The final lists of a span of days, each in its newest version, oldest first.
select *
from clearance.list as l
where
    l.kind = 'final' and l.day between %(first_day)s and %(last_day)s
    and not exists (
        select from clearance.list as n
        where n.day = l.day and n.kind = l.kind and n.version > l.version
    )
order by l.day;

-- name: record_opened
-- The first time that a login opened this version of a list.
select clearance.record_opening(%(list_id)s, %(login)s);

-- name: opened_before
-- The newest version of a list before this one that a login has opened, and when it first opened that.
select
    l.version,
    o.opened_at
from clearance.opened as o
inner join clearance.list as l on o.list_id = l.list_id
where o.login = %(login)s and l.day = %(day)s and l.kind = %(kind)s and l.version < %(version)s
order by l.version desc
limit 1;

-- name: record_reveal
select clearance.record_reveal(
    %(list_id)s, %(record_key)s, %(revealed_by)s, %(reason)s, %(refusal)s, %(hourly_limit)s
);

-- name: over_limit
-- Who was refused telephone numbers above the limit since a moment, and how often.
select
    revealed_by,
    count(*) as tries,
    max(revealed_at) as last_at
from clearance.reveal
where refusal = 'over_limit' and revealed_at >= %(since)s
group by revealed_by
order by tries desc, revealed_by asc;
