delete from reconciliation.store_day
where number = 0
