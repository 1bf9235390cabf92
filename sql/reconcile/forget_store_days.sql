delete from reconciliation.store_day
