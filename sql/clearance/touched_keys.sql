-- The services that batches touched: those whose case was written, those that an evaluation names, and those that it
-- named before.
create temp table touched_key on commit drop as
select c.record_key
from store.service_case as c
where c.batch_id = any(%(batches)s::bigint[])
union
select e.case_number || '|' || e.service_number as record_key
from store.evaluation as e
where e.batch_id = any(%(batches)s::bigint[])
union
select e.case_number || '|' || e.service_number as record_key
from store.evaluation_history as e
where e.replaced_by_batch_id = any(%(batches)s::bigint[])
