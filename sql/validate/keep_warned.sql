-- The first rows that are loaded with a warning, of each rule, so that its figure leads to them.
with found as materialized (
    select
        r.rule_id,
        m.row_no
    from unnest(%(rules)s::text[]) as r (rule_id)
    cross join
        lateral (
            select k.row_no
            from mark as k
            where k.critical = '{}' and k.warning @> array[r.rule_id]
            order by k.row_no
            limit %(most)s
        ) as m
)

insert into ledger.warned_row (batch_id, rule_id, row_no, record_key)
select
    %(batch_id)s,
    f.rule_id,
    f.row_no,
    s.record_key
from found as f
inner join staged_row as s on f.row_no = s.row_no
on conflict (batch_id, rule_id, row_no) do nothing
