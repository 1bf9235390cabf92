select
    night,
    version,
    made_at,
    figures
from review.night_report
where
    (%(night)s::date is null or night = %(night)s)
    and (%(version)s::integer is null or version = %(version)s)
order by night desc, version desc
limit 1
