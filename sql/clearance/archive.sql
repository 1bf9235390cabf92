-- Unrated services that are older than a list may hold: archived once, and for good.
insert into clearance.archived (record_key, list_id, cutoff_at)
select
    s.record_key,
    %(list_id)s,
    %(cutoff_at)s
from {services} as s
where
    s.finished_at < %(oldest_finish)s
    and clearance.is_by(s.rated_at, %(cutoff_at)s, %(kind)s) is not true
    and not exists (
        select from clearance.archived as a
        where a.record_key = s.record_key
    )
