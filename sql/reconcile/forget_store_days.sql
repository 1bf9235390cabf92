-- Without its batches the roll-up is made anew.
truncate reconciliation.store_day, reconciliation.store_batch
