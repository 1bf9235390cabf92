-- One row that the rules for a batch as a whole look at. Sizes are compared where each delivery is the whole register:
-- increments of two nights have nothing to do with each other.
create unlogged table batch_summary with (autovacuum_enabled = off) as
select
    b.fetched,
    b.staged,
    b.fetched - b.staged as unreadable,
    b.fetched - b.staged + failed.number as quarantined,
    (b.fetched - b.staged + failed.number)::numeric / greatest(b.fetched, 1) as quarantined_share,
    known.number as known_problems,
    (b.fetched - b.staged + failed.number - known.number)::numeric / greatest(b.fetched, 1) as new_problem_share,
    previous.fetched as previous_fetched,
    -- greatest() alone would take the first delivery for a thousandfold one: it passes over nulls.
    case
        when previous.fetched is not null then b.fetched::numeric / greatest(previous.fetched, 1)
    end as share_of_previous
from ledger.batch as b
cross join (
    select coalesce(sum(marked_rows), 0)::bigint as number
    from mark_count
    where critical <> '{}'
) as failed
-- An overlap reads a wrong row again every night, and a redrive reads nothing else: what is an unsolved problem already
-- holds no small batch. Of a large one it is not asked.
cross join
    lateral (
        select
            (
                select count(*)
                from mark as m
                where
                    m.critical <> '{}'
                    and exists (
                        select from quarantine.problem_row as q
                        where
                            q.record_key = m.record_key and q.department = b.department and q.feed = b.feed
                            and q.status in ('open', 'returned', 'waived')
                    )
            ) + (
                -- What has no key is known by what came.
                select count(*)
                from mark as m
                inner join text_row as t on m.row_no = t.row_no
                where
                    m.critical <> '{}' and m.record_key is null
                    and (
                        select jsonb_object_agg(d.name, to_jsonb(t) ->> ('c' || d.place))
                        from delivered_column as d
                    ) in (
                        select q.payload
                        from quarantine.problem_row as q
                        where
                            q.record_key is null and q.department = b.department and q.feed = b.feed
                            and q.status in ('open', 'returned', 'waived')
                    )
            ) + (
                select count(*)
                from bad_row as r
                where r.sha256 in (
                        select q.payload_sha256
                        from quarantine.problem_row as q
                        where
                            q.department = b.department and q.feed = b.feed
                            and q.status in ('open', 'returned', 'waived')
                    )
            ) as number
        where b.fetched < 200
        union all
        select 0 as number
        where b.fetched >= 200
    ) as known
left join lateral (
    select p.fetched
    from ledger.batch as p
    where
        %(snapshots)s
        and p.department = b.department
        and p.feed = b.feed
        and p.status = 'loaded'
        and p.origin = 'delivery'
        and p.batch_id < b.batch_id
    order by p.batch_id desc
    limit 1
) as previous on true
where b.batch_id = %(batch_id)s
