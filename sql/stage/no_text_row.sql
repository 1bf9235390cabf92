select *
from text_row
where false
