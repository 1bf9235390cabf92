update ledger.batch
set
    status = 'validated',
    validated_at = now()
where batch_id = %(batch_id)s
