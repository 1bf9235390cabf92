-- name: rekeyed
select
    outcome,
    count(*)
from ledger.rekeyed_record
group by outcome
order by outcome;
