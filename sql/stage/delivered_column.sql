-- The department's own names of the columns c1, c2, … of text_row.
create unlogged table delivered_column with (autovacuum_enabled = off) as
select
    place,
    name
from unnest(%(names)s::text[]) with ordinality as delivered (name, place)
