-- name: old_rows
-- How many rows of a technical table belong to batches that are too old, and how many batches.
select
    count(*) as number,
    min(b.recorded_at) as oldest
from {table} as t
inner join ledger.batches_before(%(before)s) as o on t.batch_id = o.old_batch_id
inner join ledger.batch as b on t.batch_id = b.batch_id;

-- name: remove
-- Remove a piece of them, and record it in the same statement.
with gone as (
    delete from {table}
    where ctid = any(
            array(
                select t.ctid
                from {table} as t
                inner join ledger.batches_before(%(before)s) as o on t.batch_id = o.old_batch_id
                order by t.batch_id
                limit %(limit)s
            )
        )
    returning batch_id
),

counted as (
    select
        g.number,
        g.batch_ids,
        (
            select max(b.recorded_at)
            from ledger.batch as b
            where b.batch_id = any(g.batch_ids)
        ) as newest_at
    from (
        select
            count(*) as number,
            array_agg(distinct batch_id) as batch_ids
        from gone
    ) as g
)

insert into ledger.removal (kind, name, batch_ids, removed_rows, newest_at, rule, removed_at)
select
    'rows',
    %(name)s,
    batch_ids,
    number,
    newest_at,
    %(rule)s,
    clock_timestamp()
from counted
where number > 0
returning removed_rows;
