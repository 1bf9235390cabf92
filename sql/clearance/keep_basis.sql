-- No row when calendar and numbers are those that were used before.
insert into clearance.basis as b (calendar_id, numbers)
values (%(calendar_id)s, %(numbers)s)
on conflict (is_only)
do update
    set
        calendar_id = excluded.calendar_id,
        numbers = excluded.numbers
    where (b.calendar_id, b.numbers) is distinct from (excluded.calendar_id, excluded.numbers)
returning calendar_id
