insert into reconciliation.store_batch (batch_id)
select unnest(%(batches)s::bigint[])
