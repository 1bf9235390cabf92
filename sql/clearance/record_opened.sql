-- The first time that a login opened this version of a list.
insert into clearance.opened (list_id, login)
values (%(list_id)s, %(login)s)
on conflict (list_id, login)
do nothing
