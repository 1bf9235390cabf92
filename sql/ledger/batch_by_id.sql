select * from ledger.batch
where batch_id = %(batch_id)s
