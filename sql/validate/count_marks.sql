-- How many rows bear each pair of marks: a handful of rows, read in place of marks, of which there may be millions.
create unlogged table mark_count with (autovacuum_enabled = off) as
select
    critical,
    warning,
    count(*) as marked_rows
from mark
group by critical, warning
