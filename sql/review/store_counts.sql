select
    license_type,
    sum(standing)::bigint as standing,
    sum(removed)::bigint as removed,
    max(counted_at) as counted_at
from review.store_count
group by license_type
