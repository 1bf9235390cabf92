-- As they were delivered, rows are only asked for where they fail critically: they go into their problem records. The
-- rest of that text, as large as the delivery, would take memory and disk from the store while it is written.
create unlogged table failed_text with (autovacuum_enabled = off) as
select t.*
from text_row as t
inner join mark as m on t.row_no = m.row_no
where m.critical <> '{}'
