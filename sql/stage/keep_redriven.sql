-- Of a landed file that goes the road again, what is an unsolved problem: all else in it stays as it was.
with redriven as (
    select row_no
    from quarantine.redriven_row
    where batch_id = %(batch_id)s
),

other_text as (
    delete from text_row
    where row_no not in (select r.row_no from redriven as r)
),

other_bad as (
    delete from bad_row
    where row_no not in (select r.row_no from redriven as r)
)

select
    (select count(*) from text_row as t inner join redriven as r on t.row_no = r.row_no) as readable,
    (select count(*) from bad_row as b inner join redriven as r on b.row_no = r.row_no) as unreadable
