-- The first rows that are loaded with a warning, of each rule, so that its figure leads to them.
with found as materialized (
    select
        r.rule_id,
        m.row_no,
        m.record_key
    from unnest(%(rules)s::text[]) as r (rule_id)
    cross join
        lateral (
            select
                k.row_no,
                k.record_key
            from (
                select
                    row_no,
                    null as record_key
                from mark
                where critical = '{}' and r.rule_id = any(warning)
                union all
                select
                    g.row_no,
                    g.record_key
                from recognised_row as g
                inner join ledger.warning_set as w on g.warning_set = w.warning_set
                where r.rule_id = any(w.rules)
            ) as k
            order by k.row_no
            limit %(most)s
        ) as m
),

-- They are among the first of the delivery, most often: few rows are joined with, and not the whole.
keyed as (
    select
        row_no,
        record_key
    from staged_row
    where row_no <= (select max(f.row_no) from found as f)
)

insert into ledger.warned_row (batch_id, rule_id, row_no, record_key)
select
    %(batch_id)s,
    f.rule_id,
    f.row_no,
    coalesce(f.record_key, k.record_key)
from found as f
left join keyed as k on f.row_no = k.row_no
on conflict (batch_id, rule_id, row_no) do nothing
