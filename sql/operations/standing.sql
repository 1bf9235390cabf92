-- name: loaded_feeds
-- When a delivery of each feed was loaded last.
select
    department,
    feed,
    max(finished_at) as loaded_at
from ledger.batch
where status = 'loaded' and origin = 'delivery'
group by department, feed;

-- name: unfinished_batches
-- Batches that are not finished, and held ones, by department and state.
select
    department,
    status,
    count(*) as number,
    min(recorded_at) as oldest
from ledger.batch
where status not in ('loaded', 'rejected')
group by department, status;

-- name: unsolved_problems
select
    department,
    status,
    count(*) as number
from quarantine.problem_row
where status in ('open', 'returned')
group by department, status;

-- name: first_publications
-- When each list of the days since `first_day` was published first.
select
    day,
    kind,
    min(published_at) as published_at
from clearance.list
where day >= %(first_day)s
group by day, kind;

-- name: waiting_requests
select
    count(*) as number,
    min(asked_at) as oldest
from review.request
where finished_at is null;

-- name: estimated_rows
-- The rows of each table of the store, as the server estimated them when it analysed the table last; of a partitioned
-- table those of its partitions. Null where it never did.
select
    t.relname::text as table_name,
    sum(p.reltuples) filter (where p.reltuples >= 0)::bigint as estimated
from pg_class as t
left join lateral pg_partition_tree(t.oid) as part on true
inner join pg_class as p on coalesce(part.relid, t.oid) = p.oid
where t.relnamespace = 'store'::regnamespace and t.relkind in ('r', 'p') and part.isleaf is not false
group by t.relname;
