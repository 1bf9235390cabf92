select count(*)
from pg_catalog.pg_tables
where schemaname = %(schema)s and tablename in (
        -- One of the first two: what of the text is needed once the rows are checked.
        'text_row', 'failed_text', 'staged_row', 'bad_row', 'recognised_row'
    )
