select
    day,
    department,
    license_type,
    year,
    collected,
    lacking_of_cases,
    lacking_of_problems,
    lacking_of_comparison
from stock.collection_rate
where day = (select max(c.day) from stock.collection_rate as c)
order by department, license_type, year
