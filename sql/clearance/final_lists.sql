-- The final lists of a span of days, each in its newest version, oldest first.
select *
from clearance.list as l
where
    l.kind = 'final' and l.day between %(first_day)s and %(last_day)s
    and not exists (
        select from clearance.list as n
        where n.day = l.day and n.kind = l.kind and n.version > l.version
    )
order by l.day
