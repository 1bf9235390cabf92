-- The hashes of keys that come more than once among these rows. One that two keys share is among them, too.
create unlogged table repeated_hash with (autovacuum_enabled = off) as
select keyed.key_hash
from ({keyed}) as keyed
where keyed.key_hash is not null
group by keyed.key_hash
having count(*) > 1
