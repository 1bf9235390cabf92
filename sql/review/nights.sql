select
    night,
    max(version) as version
from review.night_report
group by night
order by night desc
limit %(limit)s
