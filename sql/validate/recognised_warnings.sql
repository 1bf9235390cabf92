-- Of the rows that were not validated again: how many had which warning when they were. Counted by set first: the rules
-- of a handful of sets are taken apart, and not those of every row.
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
group by w.rule_id
