select
    outcome,
    count(*) as number,
    count(*) filter (where is_known) as known
from outcome
group by outcome
