-- A number for every set of warnings that a row of this batch has.
insert into ledger.warning_set (rules)
select distinct warning
from mark_count
where critical = '{}' and warning <> '{}'
on conflict (rules) do nothing
