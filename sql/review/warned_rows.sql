-- The first rows of a night that were loaded with a warning, of one rule or of all.
select
    b.department,
    b.feed,
    b.batch_id,
    b.source_name,
    w.rule_id,
    w.row_no,
    w.record_key
from ledger.batch as b
inner join ledger.warned_row as w on coalesce(b.repeats_batch_id, b.batch_id) = w.batch_id
where
    b.origin = 'delivery' and b.recorded_at >= %(night_begin)s and b.recorded_at < %(night_end)s
    and (%(department)s::text is null or b.department = %(department)s)
    and (%(feed)s::text is null or b.feed = %(feed)s)
    and (%(rule_id)s::text is null or w.rule_id = %(rule_id)s)
order by b.department asc, b.feed asc, w.rule_id asc, b.batch_id asc, w.row_no asc
limit %(limit)s
