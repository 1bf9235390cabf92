-- name: has_rows
select exists(select from {table});

-- name: shared_row
-- Rows that share their key with another row of the delivery and name another holder, or the same holder in another
-- form. Rows that fail a critical rule are excluded before: they hide no good row, and make none doubtful.
create unlogged table shared_row with (autovacuum_enabled = off) as
with passing as (
    select
        c.row_no,
        c.record_key,
        c.holder_code,
        c.holder_code_type,
        -- A name with other brackets, dashes or blanks is the same name.
        upper(replace(clean.comparison(c.holder), ' ', '')) as holder
    from staged_row as c
    where
        hashtextextended(c.record_key, 0) in (select r.key_hash from repeated_hash as r)
        and not c.removes
        and not exists (
            select from mark as m
            where m.row_no = c.row_no and m.critical <> '{}'
        )
),

judged as (
    select
        record_key,
        case
            -- One code: one holder, who may have a new name.
            when
                count(distinct holder_code) = 1
                and (count(holder_code) = count(*) or count(distinct holder) <= 1)
                then case when count(distinct holder) > 1 then 'other_name' end
            when count(distinct holder_code) = 0
                then case when count(distinct holder) > 1 then 'other_holder' end
            -- One name: for an organisation, its older and its newer number; for a person, the identity numbers of 15
            -- and of 18 digits. Otherwise two people may have the same name.
            when
                count(distinct holder) = 1
                and (
                    bool_and(coalesce(holder_code_type in ('001', '099'), false))
                    or count(distinct case
                        when holder_code ~ '^[0-9]{17}[0-9X]$' then left(holder_code, 6) || substr(holder_code, 9, 9)
                        else holder_code
                    end) = 1
                )
                then 'other_name'
            else 'other_holder'
        end as how
    from passing
    group by record_key
    having count(*) > 1
)

select
    p.row_no,
    j.how
from judged as j
inner join passing as p on j.record_key = p.record_key
where j.how is not null;

-- name: count_marks
-- How many rows have each pair of marks: a few rows, read instead of the marks, of which there may be millions.
create unlogged table mark_count with (autovacuum_enabled = off) as
select
    critical,
    warning,
    count(*) as marked_rows
from mark
group by critical, warning;

-- name: batch_summary
-- One row for the rules about a complete batch. Sizes are compared where each delivery is a complete register:
-- increments of two nights are unrelated.
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
    -- greatest() without this case would take the first delivery for a thousandfold one: it ignores nulls.
    case
        when previous.fetched is not null then b.fetched::numeric / greatest(previous.fetched, 1)
    end as share_of_previous
from ledger.batch as b
cross join (
    select coalesce(sum(marked_rows), 0)::bigint as number
    from mark_count
    where critical <> '{}'
) as failed
-- An overlap reads a wrong row again every night, and a redrive reads only such rows: rows that are unsolved problem
-- records already do not hold a small batch. For a large batch this is not counted.
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
                -- A row without a key is known by its delivered text.
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
where b.batch_id = %(batch_id)s;
