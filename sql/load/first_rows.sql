-- The type's first rows, as a table of their own. A row costs it less than an insert does, and far less than a merge.
-- The branch without rows gives the columns the types and the collations of the store's.
create table {target} as
select {columns}
from store.certificate
where false
union all
select {values_of_new}
from ({written_rows}) as c -- noqa: AL05
