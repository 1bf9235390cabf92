-- How many of the rows that are not validated again had which warnings when they were.
create unlogged table recognised_count with (autovacuum_enabled = off) as
select
    warning_set,
    count(*) as recognised_rows
from recognised_row
where warning_set is not null
group by warning_set
