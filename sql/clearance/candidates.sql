-- name: candidates
-- The services whose place on the next trunk list may differ from that on the last one: their facts changed, or a
-- moment or the age limit is between the two cut-offs. Whether a moment at a cut-off counts for the list is evaluated
-- afterwards. `changed` has the services that this transaction changed.
create temp table candidate on commit drop as
with moved as (
    select record_key
    from clearance.touched
    union
    select k.record_key
    from ({changed}) as k
    union
    select record_key
    from clearance.service
    where finished_at >= %(last_cutoff_at)s and finished_at <= %(cutoff_at)s
    union
    select record_key
    from clearance.service
    where rated_at >= %(last_cutoff_at)s and rated_at <= %(cutoff_at)s
    union
    select record_key
    from clearance.service
    where default_at >= %(last_cutoff_at)s and default_at <= %(cutoff_at)s
    union
    select record_key
    from clearance.service
    where finished_at >= %(last_oldest_finish)s and finished_at < %(oldest_finish)s
)

select c.*
from moved as m
-- Look-ups by key, however many there are: the planner would read all services instead.
cross join
    lateral (
        select s.*
        from clearance.service as s
        where s.record_key = m.record_key
        order by s.record_key
        limit 1
    ) as c;

-- name: changed_keys
-- For candidates.sql: the services that batches of this transaction changed.
select record_key
from changed;

-- name: no_keys
-- For candidates.sql: no batch changed any service.
select null::text as record_key
where false;

-- name: compare_candidates
-- The services that changed since the final lists were last compared with the facts.
create temp table candidate on commit drop as
select c.*
from clearance.touched as t
-- Look-ups by key, however many there are: the planner would read all services instead.
cross join
    lateral (
        select s.*
        from clearance.service as s
        where s.record_key = t.record_key
        order by s.record_key
        limit 1
    ) as c
where not t.is_compared;

-- name: list_candidates
-- Every service that a list contained, or would contain now.
create temp table candidate on commit drop as
with named as (
    select r.record_key
    from clearance.rows_of(%(base_list)s::bigint, %(corrections)s::bigint[]) as r
    union
    select s.record_key
    from clearance.service as s
    where
        s.finished_at >= %(oldest_finish)s and s.finished_at <= %(cutoff_at)s
        and clearance.is_by(s.rated_at, %(cutoff_at)s, %(kind)s) is not true
)

select s.*
from named as n
inner join clearance.service as s on n.record_key = s.record_key;
