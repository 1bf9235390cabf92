-- The newest version of a list before this one that a login has opened, and since when.
select
    l.version,
    o.opened_at
from clearance.opened as o
inner join clearance.list as l on o.list_id = l.list_id
where o.login = %(login)s and l.day = %(day)s and l.kind = %(kind)s and l.version < %(version)s
order by l.version desc
limit 1
