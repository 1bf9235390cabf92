update ledger.batch
set
    status = 'landed',
    recognised = 0,
    recognised_after = null,
    validated_at = null
where batch_id = %(batch_id)s
