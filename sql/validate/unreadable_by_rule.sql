select
    rule_id,
    count(*)
from bad_row
group by rule_id
