-- docs/decisions/0068: the batches whose rows in technical tables are too old. The newest delivery of a feed is
-- compared with the next one, and what repeats a batch shows its rows: these stay.
create or replace function ledger.batches_before(moment timestamptz)
returns table (old_batch_id bigint)
language sql
stable
as $$
    select b.batch_id
    from ledger.batch as b
    where
        b.recorded_at < moment and b.status in ('loaded', 'rejected')
        and not exists (
            select from ledger.batch as n
            where n.repeats_batch_id = b.batch_id and n.recorded_at >= moment
        )
        and exists (
            select from ledger.batch as n
            where
                n.department = b.department and n.feed = b.feed and n.batch_id > b.batch_id
                and n.origin = 'delivery' and n.status = 'loaded' and n.repeats_batch_id is null
        )
$$;
