delete from text_row
where row_no = any(%(rows)s::bigint[])
