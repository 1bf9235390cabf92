-- The rows that delete something: few rules are asked of them.
create view deleting_row as
select *
from staged_row
where removes
