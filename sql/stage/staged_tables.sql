select count(*)
from pg_catalog.pg_tables
where schemaname = %(schema)s and tablename = any(%(tables)s)
