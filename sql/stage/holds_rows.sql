-- A crash of the server empties unlogged tables whole; the balance of the load counts the rows one by one.
select
    exists(select from recognised_row) as recognised_rows,
    exists(select from staged_row) as staged_rows,
    exists(select from bad_row) as bad_rows
