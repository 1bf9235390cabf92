-- name: enter_night
-- With the newest seal of the evidence, whose head the report prints.
insert into review.night_report (night, version, figures, seal_id)
select
    %(night)s,
    %(version)s,
    %(figures)s,
    max(seal_id)
from audit.seal;

-- name: night_rules
-- How many rows failed each rule on a night, by feed, and in the 7 and 30 nights before.
with asked as (
    select
        b.department,
        b.feed,
        b.fetched,
        r.rule_id,
        r.severity,
        r.failed_rows,
        (b.recorded_at at time zone 'Asia/Shanghai')::date as night
    from ledger.batch as b
    inner join ledger.rule_result as r on b.batch_id = r.batch_id
    where
        b.origin = 'delivery' and not r.skipped
        and b.recorded_at >= %(history_begin)s and b.recorded_at < %(night_end)s
)

select
    department,
    feed,
    rule_id,
    max(severity) as severity,
    sum(failed_rows) filter (where night = %(night)s) as failed,
    coalesce(sum(fetched) filter (where night = %(night)s), 0) as fetched,
    coalesce(sum(failed_rows) filter (where night >= %(week_begin)s and night < %(night)s), 0) as failed_7,
    coalesce(sum(fetched) filter (where night >= %(week_begin)s and night < %(night)s), 0) as fetched_7,
    coalesce(sum(failed_rows) filter (where night < %(night)s), 0) as failed_30,
    coalesce(sum(fetched) filter (where night < %(night)s), 0) as fetched_30
from asked
group by department, feed, rule_id
having sum(failed_rows) filter (where night = %(night)s) > 0
order by failed desc, department asc, feed asc, rule_id asc;

-- name: waiting_batches
-- Batches that need a person's attention: held ones, of any time, and those of a night that were rejected.
select
    batch_id,
    department,
    feed,
    status,
    source_name,
    fetched,
    rule_id,
    reason,
    recorded_at
from ledger.batch
where
    recorded_at < %(night_end)s
    and (status = 'held' or (status = 'rejected' and recorded_at >= %(night_begin)s))
order by status asc, batch_id asc;

-- name: newest_night
select
    r.night,
    r.version,
    r.made_at,
    r.figures,
    r.seal_id,
    s.sealed_until,
    encode(s.head, 'hex') as head
from review.night_report as r
left join audit.seal as s on r.seal_id = s.seal_id
where
    (%(night)s::date is null or r.night = %(night)s)
    and (%(version)s::integer is null or r.version = %(version)s)
order by r.night desc, r.version desc
limit 1;

-- name: fired_rules
-- The rules that some row failed since a moment, and all rules that were evaluated.
select
    r.rule_id,
    bool_or(r.failed_rows > 0) as fired,
    bool_and(r.skipped) as skipped
from ledger.batch as b
inner join ledger.rule_result as r on b.batch_id = r.batch_id
where b.recorded_at >= %(since)s and b.recorded_at < %(night_end)s
group by r.rule_id;

-- name: warned_rows
-- The first rows of a night that were loaded with a warning, of one rule or of all.
select
    b.department,
    b.feed,
    b.batch_id,
    b.source_name,
    w.rule_id,
    w.row_no,
    w.record_key
from ledger.batch as b
inner join ledger.warned_row as w on coalesce(b.repeats_batch_id, b.batch_id) = w.batch_id
where
    b.origin = 'delivery' and b.recorded_at >= %(night_begin)s and b.recorded_at < %(night_end)s
    and (%(department)s::text is null or b.department = %(department)s)
    and (%(feed)s::text is null or b.feed = %(feed)s)
    and (%(rule_id)s::text is null or w.rule_id = %(rule_id)s)
order by b.department asc, b.feed asc, w.rule_id asc, b.batch_id asc, w.row_no asc
limit %(limit)s;

-- name: nights
select
    night,
    max(version) as version
from review.night_report
group by night
order by night desc
limit %(limit)s;

-- name: night_problems
-- The problem records found in the deliveries of a night, by feed.
select
    q.problem_id,
    q.department,
    q.feed,
    q.rules,
    q.reasons,
    q.payload,
    q.payload_length,
    q.status,
    q.attempts,
    q.times_seen,
    q.last_batch_id,
    q.last_row_no,
    q.first_opened_at
from ({chosen}) as q
order by q.department asc, q.feed asc, q.problem_id asc;
