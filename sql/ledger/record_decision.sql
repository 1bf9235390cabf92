insert into ledger.decision (batch_id, decision, decided_by, reason)
values (%(batch_id)s, %(decision)s, %(decided_by)s, %(reason)s)
