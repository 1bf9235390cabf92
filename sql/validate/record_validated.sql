update ledger.batch
set
    status = 'validated',
    warned = (
        select count(*)
        from mark
        where critical = '{}' and warning <> '{}'
    ),
    validated_at = now()
where batch_id = %(batch_id)s
