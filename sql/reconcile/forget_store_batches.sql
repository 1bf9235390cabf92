-- Without its batches the roll-up by day is made anew by the next reconciliation.
delete from reconciliation.store_batch
