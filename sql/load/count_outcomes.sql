select
    outcome,
    count(*)
from outcome
group by outcome
