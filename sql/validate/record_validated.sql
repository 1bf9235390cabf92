update ledger.batch
set
    status = 'validated',
    warned = (
        select coalesce(sum(marked_rows), 0)
        from mark_count
        where critical = '{}' and warning <> '{}'
    ) + (
        select count(*)
        from recognised_row
        where warning_set is not null
    ),
    validated_at = now()
where batch_id = %(batch_id)s
