-- name: loaded_since
-- The deliveries that were loaded since a moment. Repeats and batches that processed stored data again are left out, so
-- that no row is evaluated twice.
select *
from ledger.batch
where
    status = 'loaded'
    and origin = 'delivery'
    and repeats_batch_id is null
    and landing_path is not null
    and recorded_at >= %(since)s
order by batch_id;

-- name: compare_marks
-- The outcome of the same rows under other rules: mark by those rules, mark_now by the present ones.
with compared as (
    select
        coalesce(n.critical <> '{}', false) as quarantined_now,
        coalesce(n.warning <> '{}', false) as warned_now,
        coalesce(c.critical <> '{}', false) as quarantined_then,
        coalesce(c.warning <> '{}', false) as warned_then
    from mark_now as n
    full join mark as c on n.row_no = c.row_no
)

select
    count(*) filter (where quarantined_then and not quarantined_now) as newly_quarantined,
    count(*) filter (where quarantined_now and not quarantined_then) as newly_passing,
    count(*) filter (
        where warned_then and not warned_now and not quarantined_then and not quarantined_now
    ) as newly_warned
from compared;
