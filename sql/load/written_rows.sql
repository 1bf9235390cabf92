-- The staged rows that the store gets, each with the set of its warnings.
select
    staged.*,
    w.warning_set
from staged_row as staged
left join mark as m on staged.row_no = m.row_no
left join ledger.warning_set as w on m.warning = w.rules
where not exists (
        select from outcome as o
        where o.row_no = staged.row_no and o.outcome not in ('updated', 'deleted')
    )
