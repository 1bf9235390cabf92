-- name: batches_to_tell_of
-- Batches that are held, and those rejected lately whose feed has loaded nothing since.
select
    b.batch_id,
    b.department,
    b.feed,
    b.status,
    b.source_name,
    coalesce(b.reason, '') as reason
from ledger.batch as b
where
    b.status = 'held'
    or (
        b.status = 'rejected' and b.recorded_at >= %(rejected_since)s
        and not exists (
            select from ledger.batch as later
            where
                later.department = b.department and later.feed = b.feed and later.batch_id > b.batch_id
                and later.status in ('loaded', 'held')
        )
        -- One for each feed: the newest.
        and not exists (
            select from ledger.batch as later
            where
                later.department = b.department and later.feed = b.feed and later.batch_id > b.batch_id
                and later.status = 'rejected'
        )
    )
order by b.batch_id;

-- name: replace_finding
insert into watch.finding as f (finding_key, observer, kind, urgency, text, state, links)
values (%(finding_key)s, %(observer)s, %(kind)s, %(urgency)s, %(text)s, %(state)s, %(links)s)
on conflict (finding_key) do update set
    observer = excluded.observer,
    urgency = excluded.urgency,
    text = excluded.text,
    links = excluded.links,
    state = excluded.state,
    over_since = null,
    changed_at = case
        when (f.state, f.urgency) is distinct from (excluded.state, excluded.urgency) then clock_timestamp()
        else f.changed_at
    end;

-- name: end_others
update watch.finding set over_since = clock_timestamp()
where observer = %(observer)s and finding_key <> all(%(keys)s::text[]) and over_since is null;

-- name: forget_over
delete from watch.finding
where over_since <= clock_timestamp() - make_interval(mins => %(settle_minutes)s);

-- name: forget_silent
update watch.finding as f set over_since = clock_timestamp()
from watch.observer as o
where
    f.observer = o.observer and starts_with(o.observer, %(prefix)s) and o.looked_at < %(before)s
    and f.over_since is null;

-- name: record_look
insert into watch.observer (observer, looked_at) values (%(observer)s, clock_timestamp())
on conflict (observer) do update set looked_at = excluded.looked_at;

-- name: looked_at
select looked_at
from watch.observer
where observer = %(observer)s;

-- name: findings
select
    finding_key,
    kind,
    urgency,
    text,
    state,
    links,
    since,
    changed_at,
    over_since is not null as is_settling
from watch.finding;

-- name: seen_by
select
    finding_key,
    kind,
    urgency,
    text,
    state,
    links
from watch.finding
where observer = %(observer)s and over_since is null
order by finding_key;

-- name: failed_tasks
select
    dag_id,
    run_id,
    task_id,
    map_index,
    label,
    reason,
    failed_at
from watch.task_failure
order by failed_at, dag_id, task_id, map_index;

-- name: record_failed_task
insert into watch.task_failure (dag_id, run_id, task_id, map_index, label, reason)
values (%(dag_id)s, %(run_id)s, %(task_id)s, %(map_index)s, %(label)s, %(reason)s)
on conflict (dag_id, run_id, task_id, map_index) do update set
    label = excluded.label,
    reason = excluded.reason,
    failed_at = clock_timestamp();

-- name: settle_task
delete from watch.task_failure
where dag_id = %(dag_id)s and task_id = %(task_id)s and map_index = %(map_index)s;

-- name: settle_run
delete from watch.task_failure
where dag_id = %(dag_id)s and run_id = %(run_id)s;

-- name: record_expiry
insert into watch.expiry (name, last_day) values (%(name)s, %(last_day)s)
on conflict (name) do update set last_day = excluded.last_day, read_at = clock_timestamp();

-- name: forget_expiries
delete from watch.expiry
where name <> all(%(names)s::text[]);

-- name: expiries
select
    name,
    last_day
from watch.expiry
order by last_day, name;

-- name: published_lists
-- The lists published for the last days, and the first day of all that has one.
select
    l.day,
    l.kind,
    (select min(first.day) from clearance.list as first) as first_day
from clearance.list as l
where l.day >= %(since)s
group by l.day, l.kind
order by l.day, l.kind;

-- name: published_report
select exists(
    select from review.night_report
    where night = %(night)s
);
