-- How many services a late list would have archived: unrated at its cut-off, too old for it, and not archived by then.
select count(*) as too_old
from clearance.service as s
where
    s.finished_at < %(oldest_finish)s
    and clearance.is_by(s.rated_at, %(cutoff_at)s, %(kind)s) is not true
    and not exists (
        select from clearance.archived as a
        where a.record_key = s.record_key and a.cutoff_at <= %(cutoff_at)s
    )
