-- Up to when each source is known: when its newest loaded delivery was read, or written where it is a file. A reading
-- of an interval that ended before goes no further than that.
select
    s.department,
    s.feed,
    (
        select max(least(b.source_modified_at, b.window_end))
        from ledger.batch as b
        where b.department = s.department and b.feed = s.feed and b.status = 'loaded'
            -- What goes the road again, or reads a month of the past, says nothing of the present.
            and b.origin = 'delivery'
    ) as read_at
from unnest(%(departments)s::text[], %(feeds)s::text[]) as s (department, feed)
