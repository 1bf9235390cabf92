-- One version of a list, the newest when none is asked for.
select *
from clearance.list
where day = %(day)s and kind = %(kind)s and (%(version)s::integer is null or version = %(version)s)
order by version desc
limit 1
