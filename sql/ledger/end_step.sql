-- A step of a batch ended: it is done, or it failed and said why.
update ledger.batch
set
    begun_step = null,
    step_deaths = case when %(done)s then 0 else step_deaths end
where batch_id = %(batch_id)s
