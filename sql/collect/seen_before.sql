-- The files of a feed that have a batch, with the state of the newest one. A file whose landed copy was lost is new.
select distinct on (source_name, source_bytes, source_modified_at)
    source_name,
    source_bytes,
    source_modified_at,
    status,
    finished_at,
    config_digest,
    rule_id
from ledger.batch
where department = %(department)s and feed = %(feed)s and rule_id is distinct from 'file.lost'
order by source_name asc, source_bytes asc, source_modified_at asc, batch_id desc
