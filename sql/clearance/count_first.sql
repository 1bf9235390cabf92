select
    count(*) filter (where default_at is null) as unrated,
    count(default_at) as default_rated,
    count(*) as new
from clearance.entry
