select t.*
from text_row as t
where not exists (
        select from recognised_row as r
        where r.row_no = t.row_no
    )
