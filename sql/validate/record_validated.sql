update ledger.batch
set
    status = 'validated',
    warned = (
        select coalesce(sum(marked_rows), 0)
        from mark_count
        where critical = '{}' and warning <> '{}'
    ) + (
        select coalesce(sum(recognised_rows), 0)
        from recognised_count
    ),
    validated_at = now()
where batch_id = %(batch_id)s
