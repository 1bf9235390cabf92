select
    kind,
    explanation,
    count(*) as number
from pg_temp.found
group by kind, explanation
