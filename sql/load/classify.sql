-- name: classify
-- The outcome of each staged row, and whether the store had its record. A row without an outcome here is inserted: in a
-- first load nearly all rows. Only keys that occur more than once are sorted: most batches have few.
create unlogged table outcome with (autovacuum_enabled = off) as
with failed as (
    select row_no
    from mark
    where critical <> '{{}}'
),

ranked as (
    select
        c.row_no,
        row_number() over (partition by c.record_key order by c.version_at desc, c.row_no desc) as place
    from staged_row as c
    where
        hashtextextended(c.record_key, 0) in (select r.key_hash from repeated_hash as r)
        and not exists (
            select from failed as f
            where f.row_no = c.row_no
        )
),

older_in_batch as (
    select row_no
    from ranked
    where place > 1
),

-- Where the store has no row of the type yet, all others are inserted without a look-up.
looked_up as (
    select *
    from staged_row
    where
        not %(is_first)s::boolean
        or removes
        or row_no in (select f.row_no from failed as f)
        or row_no in (select d.row_no from older_in_batch as d)
),

classified as (
    select
        c.row_no,
        s.record_key is not null as is_known,
        case
            -- A row older than the store's version changes nothing, right or wrong; without a time, its age is unknown.
            when
                f.row_no is not null
                and not g.is_gone_since
                and (
                    s.record_key is null
                    or s.version_at <= c.version_at
                    or c.version_at = %(undated)s::timestamptz
                )
                then 'quarantined'
            when f.row_no is not null then 'superseded'
            when d.row_no is not null then 'duplicate'
            when s.record_key is null then case when c.removes then 'deleted' else 'inserted' end
            -- A repeated delete counts with its own time: changes made before it have no effect.
            when
                c.removes and s.removal = 'deleted' and (c.version_at <= s.version_at or not %(is_dated)s::boolean)
                then 'unchanged'
            when not c.removes and s.removal is null and s.row_hash = c.row_hash then 'unchanged'
            -- An older version does not win; of versions with the same time, the one that was delivered first does not
            -- win.
            when
                g.is_gone_since
                or (c.version_at < s.version_at and not g.is_back)
                or (
                    c.version_at = s.version_at
                    and exists (
                        select from ledger.batch as b
                        where
                            b.batch_id = s.batch_id
                            and (b.landed_at, b.batch_id) > (%(landed_at)s::timestamptz, %(batch_id)s)
                    )
                )
                then 'superseded'
            when c.removes then 'deleted'
            else 'updated'
        end as outcome
    from looked_up as c
    left join failed as f on c.row_no = f.row_no
    left join older_in_batch as d on c.row_no = d.row_no
    left join {store} as s on {scope} and c.record_key = s.record_key
    -- A disappearance has the time of the register that showed it: no earlier delivery restores the record, whatever
    -- time its row has. And a newer register that contains the record proves that it exists, even where its row has an
    -- older time than the one that disappeared.
    cross join
        lateral (
            select
                coalesce(s.removal = 'disappeared' and s.removed_at > %(landed_at)s::timestamptz, false)
                    as is_gone_since,
                coalesce(
                    %(is_register)s::boolean and s.removal = 'disappeared'
                    and s.removed_at < %(landed_at)s::timestamptz,
                    false
                ) as is_back
        ) as g
)

select *
from classified
where outcome <> 'inserted';
