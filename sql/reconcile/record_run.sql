insert into reconciliation.run (
    department, feed, since, until, compared_until, method, started_at, source_count, store_count, days, unequal_days,
    explained, missing_in_store, missing_at_source, differs, note
)
values (
    %(department)s, %(feed)s, %(since)s, %(until)s, %(compared_until)s, %(method)s, %(started_at)s,
    %(source_count)s, %(store_count)s, %(days)s, %(unequal_days)s, %(explained)s, %(missing_in_store)s,
    %(missing_at_source)s, %(differs)s, %(note)s
)
