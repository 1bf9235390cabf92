-- Rows that share their key with another one of the delivery and name somebody else, or the same holder otherwise. Rows
-- that fail a critical rule are out before: they hide no good one, and make none doubtful.
create unlogged table shared_row with (autovacuum_enabled = off) as
with passing as (
    select
        c.row_no,
        c.record_key,
        c.holder_code,
        c.holder_code_type,
        -- A name is the same in other brackets, dashes or blanks.
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
            -- One code: one holder, who may have another name by now.
            when
                count(distinct holder_code) = 1
                and (count(holder_code) = count(*) or count(distinct holder) <= 1)
                then case when count(distinct holder) > 1 then 'other_name' end
            when count(distinct holder_code) = 0
                then case when count(distinct holder) > 1 then 'other_holder' end
            -- One name: of an organisation, its older number beside the newer; of a person, the identity number of 15
            -- digits beside that of 18. Else two people may bear it.
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
where j.how is not null
