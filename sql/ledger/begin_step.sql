-- A step of a batch begins. Where the same step had begun before and never ended, it died.
update ledger.batch
set
    step_deaths = case
        when begun_step = %(step)s then step_deaths + 1
        when begun_step is null then step_deaths
        else 0
    end,
    begun_step = %(step)s
where batch_id = %(batch_id)s
returning step_deaths
