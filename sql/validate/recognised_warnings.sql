-- Of the rows that were not validated again: how many had which warning when they were.
select
    w.rule_id,
    count(*)
from recognised_row as r
inner join ledger.warning_set as s on r.warning_set = s.warning_set
cross join lateral unnest(s.rules) as w (rule_id)
group by w.rule_id
