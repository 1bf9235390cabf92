-- Every batch that is loaded: what the roll-up made from all rows holds.
insert into reconciliation.store_batch (batch_id)
select b.batch_id
from ledger.batch as b
where b.status = 'loaded'
