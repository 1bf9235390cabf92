-- The rules that some row failed since a moment, and those that were asked at all.
select
    r.rule_id,
    bool_or(r.failed_rows > 0) as fired,
    bool_and(r.skipped) as skipped
from ledger.batch as b
inner join ledger.rule_result as r on b.batch_id = r.batch_id
where b.recorded_at >= %(since)s and b.recorded_at < %(night_end)s
group by r.rule_id
