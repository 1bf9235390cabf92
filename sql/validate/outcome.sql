-- name: unreadable_by_rule
select
    rule_id,
    count(*)
from bad_row
group by rule_id;

-- name: recognised_warnings
-- For rows that were not validated again: how many had which warning when they were validated. Counted by set first: so
-- only the rules of a few sets are unpacked, and not those of every row.
select
    w.rule_id,
    sum(r.recognised_rows)::bigint
from (
    select
        warning_set,
        count(*) as recognised_rows
    from recognised_row
    group by warning_set
) as r
inner join ledger.warning_set as s on r.warning_set = s.warning_set
cross join lateral unnest(s.rules) as w (rule_id)
group by w.rule_id;

-- name: record_validated
update ledger.batch
set
    status = 'validated',
    warned = (
        select coalesce(sum(marked_rows), 0)
        from mark_count
        where critical = '{}' and warning <> '{}'
    ) + (
        select count(*)
        from recognised_row
        where warning_set is not null
    ),
    validated_at = now()
where batch_id = %(batch_id)s;

-- name: keep_failed_text
-- The delivered text is only needed for rows that fail critically: it goes into their problem records. The other text,
-- as large as the delivery, would take memory and disk from the store while that is written.
create unlogged table failed_text with (autovacuum_enabled = off) as
select t.*
from text_row as t
inner join mark as m on t.row_no = m.row_no
where m.critical <> '{}';

-- name: keep_warned
-- The first rows that are loaded with a warning, for each rule, so that its figure can link to them. For a rule that
-- many rows break they are near the start; only for the others is the complete delivery scanned.
with warned as not materialized (
    select
        m.row_no,
        m.record_key,
        m.warning as rules
    from mark as m
    where m.critical = '{}'
    union all
    select
        g.row_no,
        g.record_key,
        w.rules
    from recognised_row as g
    inner join ledger.warning_set as w on g.warning_set = w.warning_set
),

beginning as materialized (
    select
        row_no,
        record_key,
        rules
    from warned
    where row_no <= %(most)s::bigint * 100
),

found_there as materialized (
    select
        r.rule_id,
        f.row_no,
        f.record_key
    from unnest(%(rules)s::text[]) as r (rule_id)
    cross join
        lateral (
            select
                b.row_no,
                b.record_key
            from beginning as b
            where r.rule_id = any(b.rules)
            order by b.row_no
            limit %(most)s
        ) as f
),

seldom_broken as (
    select r.rule_id
    from unnest(%(rules)s::text[]) as r (rule_id)
    left join found_there as t on r.rule_id = t.rule_id
    group by r.rule_id
    having count(t.rule_id) < %(most)s
),

found_everywhere as (
    select
        s.rule_id,
        f.row_no,
        f.record_key
    from seldom_broken as s
    cross join
        lateral (
            select
                w.row_no,
                w.record_key
            from warned as w
            where s.rule_id = any(w.rules)
            order by w.row_no
            limit %(most)s
        ) as f
)

insert into ledger.warned_row (batch_id, rule_id, row_no, record_key)
select
    %(batch_id)s,
    found.rule_id,
    found.row_no,
    found.record_key
from (
    select * from found_there
    union
    select * from found_everywhere
) as found
on conflict (batch_id, rule_id, row_no) do nothing;
