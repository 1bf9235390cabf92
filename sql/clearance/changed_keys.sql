-- For candidates.sql: the services that batches of this transaction changed.
select record_key
from changed
