select exists(select from reconciliation.store_batch)
