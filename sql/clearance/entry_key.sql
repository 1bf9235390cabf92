select
    conname,
    pg_get_constraintdef(oid) as definition
from pg_constraint
where conrelid = 'clearance.entry'::regclass and contype = 'p'
