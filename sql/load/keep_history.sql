-- The versions that this batch is about to replace.
insert into store.certificate_history
select
    s.*,
    %(batch_id)s,
    now()
from store.certificate as s
inner join certificate as c on s.certificate_key = c.certificate_key
inner join outcome as o on c.row_no = o.row_no
where s.license_type = %(license_type)s and o.is_known and o.outcome in ('updated', 'deleted')
