update ledger.batch
set
    status = 'validated',
    warned = (
        select count(*)
        from mark
        where critical = '{}' and warning <> '{}'
    ) + (
        select count(*)
        from recognised_row
        where warning_set is not null
    ),
    validated_at = now()
where batch_id = %(batch_id)s
