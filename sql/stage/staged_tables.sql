select count(*)
from pg_catalog.pg_tables
where schemaname = %(schema)s and tablename in ('text_row', 'staged_row', 'bad_row', 'recognised_row')
