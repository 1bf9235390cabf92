-- Keys in the form in which codes are compared: docs/decisions/0028. Every table that bears record_key is brought
-- along, and what changed stands in ledger.rekeyed_record: nothing is merged in silence.
create table ledger.rekeyed_record (
    rekeyed_id bigint generated always as identity primary key,
    table_name text collate "C" not null,
    license_type text collate "C",
    old_key text collate "C" not null,
    new_key text collate "C" not null,
    outcome text collate "C" not null check (
        outcome in ('rekeyed', 'merged', 'kept_apart', 'no_number', 'may_be_two')
    ),
    rekeyed_at timestamptz not null default now()
);
comment on table ledger.rekeyed_record is '升级时改变的记录标识：何表、原值、新值、如何处理';
comment on column ledger.rekeyed_record.outcome is
'rekeyed 改写；merged 与同一编号的另一写法合为一条，旧版本进历史；kept_apart 持证主体不同，未合并，保留原标识，需人工核对；'
'no_number 标识不是编号，需人工核对；may_be_two 历史版本中有另一持证主体，可能曾把两个编号（如①与1）并为一个，需人工核对';

-- What clean.key makes of a key that is stored already; of its own, for that function may change.
-- A key, part by part, without the marks by which a spreadsheet says that a value is a text ('0042, ="0042"), and
-- without the point that software puts behind a number.
create function pg_temp.unmarked(key text) returns text
language sql immutable
return regexp_replace(
    regexp_replace(
        regexp_replace(key, '(^|[|])[''\u2018\u2019`]*="+([^"|]*)"+(?=$|[|])', '\1\2', 'g'),
        '(^|[|])[''\u2018\u2019`]+([^''\u2018\u2019`|]+)[''\u2018\u2019`]*(?=$|[|])', '\1\2', 'g'
    ),
    '(^|[|])([0-9]+)[.]0+(?=$|[|])', '\1\2', 'g'
);

create function pg_temp.compared(key text) returns text
language sql immutable
return translate(
    replace(
        replace(
            regexp_replace(
                pg_temp.unmarked(key),
                '[\u0085\u00ad\u034f\u061c\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff'
                '\uffa0\ufff9-\ufffc\U000e0000-\U000e007f]',
                '',
                'g'
            ),
            '——', '-'
        ),
        '──', '-'
    ),
    '〔〕[]【】［］（）〖〗〘〙{}｛｝「」『』〈〉《》<>＜＞﹙﹚﹝﹞｟｠—–‐‑‒―−－﹣﹘─━ー⁃',
    '()()()()()()()()()()()()()()()()()()--------------'
);

create temporary table moved_key (
    data_set text,
    license_type text,
    old_key text collate "C",
    new_key text collate "C",
    outcome text,
    -- Within those that become one: 1 is the one that stays.
    place integer
) on commit drop;

do $rekey$
declare
    data_set text;
    typed boolean;
    kind text;
    same_type text;
    kept text;
    one_holder text;
    known_first text;
    holding text;
begin
    foreach data_set in array array['certificate', 'service_case', 'evaluation', 'case_result']
    loop
        typed := data_set = 'certificate';
        kind := case when typed then 's.license_type' else 'null::text' end;
        same_type := case when typed then 's.license_type = m.license_type' else 'true' end;
        execute format(
            'insert into moved_key (data_set, license_type, old_key, new_key)
            select %L, %s, s.record_key, pg_temp.compared(s.record_key) from store.%I as s
            where octet_length(s.record_key) <> length(s.record_key) and s.record_key <> pg_temp.compared(s.record_key)
            or s.record_key ~ ''[][{}<>]'' or s.record_key <> pg_temp.unmarked(s.record_key)', data_set, kind, data_set
        );
        -- Those that are written so already and become one with them.
        execute format(
            'insert into moved_key (data_set, license_type, old_key, new_key)
            select distinct m.data_set, m.license_type, m.new_key, m.new_key from moved_key as m
            inner join store.%I as s on %s and s.record_key = m.new_key where m.data_set = %L',
            data_set, same_type, data_set
        );
        -- A row that only deletes names no holder: it is the record''s own last word.
        one_holder := case
            when typed then
                'count(distinct s.holder_code) <= 1 and (count(s.holder_code) > 0 or count(distinct s.holder) <= 1)'
            else 'true'
        end;
        known_first := case when typed then '(s.holder is not null or s.holder_code is not null) desc,' else '' end;
        execute format(
            'update moved_key as m set outcome = j.outcome
            from (
                select m.license_type, m.new_key,
                    case when count(*) = 1 then ''rekeyed'' when %s then ''merged'' else ''kept_apart'' end as outcome
                from moved_key as m inner join store.%I as s on %s and s.record_key = m.old_key
                where m.data_set = %L group by m.license_type, m.new_key
            ) as j
            where m.data_set = %L and m.license_type is not distinct from j.license_type and m.new_key = j.new_key',
            one_holder, data_set, same_type, data_set, data_set
        );
        execute format(
            'update moved_key as m set place = j.place
            from (
                select m.license_type, m.old_key, row_number() over (
                    partition by m.license_type, m.new_key
                    order by %s s.version_at desc, s.batch_id desc, s.row_no desc
                ) as place
                from moved_key as m inner join store.%I as s on %s and s.record_key = m.old_key
                where m.data_set = %L
            ) as j
            where m.data_set = %L and m.license_type is not distinct from j.license_type and m.old_key = j.old_key',
            known_first, data_set, same_type, data_set, data_set
        );
        select string_agg(format('%I', c.column_name), ', ' order by c.ordinal_position)
        into kept
        from information_schema.columns as c
        where
            c.table_schema = 'store' and c.table_name = data_set || '_history'
            and c.column_name not in ('replaced_by_batch_id', 'replaced_at', 'record_key', 'version_no');
        -- The one that stays keeps its place as the newest; a later delete of another writing is its own.
        execute format(
            'update store.%I as s set
                removed_at = l.removed_at, removal = l.removal, version_at = l.version_at, batch_id = l.batch_id
            from moved_key as m, lateral (
                select s.removed_at, s.removal, s.version_at, s.batch_id
                from moved_key as o inner join store.%I as s on %s and s.record_key = o.old_key
                where o.data_set = m.data_set and o.outcome = ''merged'' and o.new_key = m.new_key
                    and o.license_type is not distinct from m.license_type and s.removal = ''deleted''
                order by s.version_at desc limit 1
            ) as l
            where m.data_set = %L and m.outcome = ''merged'' and m.place = 1 and %s and s.record_key = m.old_key
                and l.version_at > s.version_at',
            data_set, data_set, replace(same_type, 'm.', 'o.'), data_set, same_type
        );
        -- Older versions of the others come behind those of the one that stays, and are then numbered by their time.
        execute format(
            'update store.%I as s set record_key = m.new_key, version_no = s.version_no + m.place * 1000000
            from moved_key as m
            where m.data_set = %L and m.outcome in (''rekeyed'', ''merged'') and %s and s.record_key = m.old_key
                and (m.outcome = ''merged'' or m.old_key <> m.new_key)',
            data_set || '_history', data_set, same_type
        );
        execute format(
            'insert into store.%I (%s, record_key, version_no, replaced_by_batch_id, replaced_at)
            select %s, m.new_key, s.version_no + m.place * 1000000, w.batch_id, w.loaded_at
            from moved_key as m inner join store.%I as s on %s and s.record_key = m.old_key
            inner join moved_key as first_one on first_one.data_set = m.data_set and first_one.new_key = m.new_key
                and first_one.license_type is not distinct from m.license_type and first_one.place = 1
            inner join store.%I as w on %s and w.record_key = first_one.old_key
            where m.data_set = %L and m.outcome = ''merged'' and m.place > 1',
            data_set || '_history', kept,
            (select string_agg('s.' || trim(name), ', ') from unnest(string_to_array(kept, ',')) as n (name)),
            data_set, same_type, data_set, case when typed then 'w.license_type = first_one.license_type' else 'true' end,
            data_set
        );
        execute format(
            'delete from store.%I as s using moved_key as m
            where m.data_set = %L and m.outcome = ''merged'' and m.place > 1 and %s and s.record_key = m.old_key',
            data_set, data_set, same_type
        );
        execute format(
            'update store.%I as s set record_key = m.new_key from moved_key as m
            where m.data_set = %L and m.outcome in (''rekeyed'', ''merged'') and m.place = 1
                and %s and s.record_key = m.old_key and m.old_key <> m.new_key',
            data_set, data_set, same_type
        );
        -- Numbers are unique at every instant: first out of the way, then in order.
        execute format(
            'update store.%I as s set version_no = -n.place
            from (
                select s.record_key, %s as license_type, s.version_no, row_number() over (
                    partition by %s, s.record_key order by s.version_at, s.version_no %% 1000000, s.version_no
                ) as place
                from store.%I as s
                where (%s, s.record_key) in (
                    select m.license_type, m.new_key from moved_key as m
                    where m.data_set = %L and m.outcome in (''rekeyed'', ''merged'')
                )
                or (not %L::boolean and s.record_key in (
                    select m.new_key from moved_key as m
                    where m.data_set = %L and m.outcome in (''rekeyed'', ''merged'')
                ))
            ) as n
            where s.record_key = n.record_key and s.version_no = n.version_no %s',
            data_set || '_history', kind, kind, data_set || '_history', kind, data_set, typed, data_set,
            case when typed then 'and s.license_type = n.license_type' else '' end
        );
        execute format('update store.%I set version_no = -version_no where version_no < 0', data_set || '_history');
        execute format(
            'update store.%I as s set version_no = 1 + (
                select count(*) from store.%I as h where h.record_key = s.record_key %s
            )
            from moved_key as m
            where m.data_set = %L and m.outcome = ''merged'' and m.place = 1 and %s and s.record_key = m.new_key',
            data_set, data_set || '_history',
            case when typed then 'and h.license_type = s.license_type' else '' end, data_set, same_type
        );
    end loop;

    insert into ledger.rekeyed_record (table_name, license_type, old_key, new_key, outcome)
    select 'store.' || m.data_set, m.license_type, m.old_key, m.new_key, m.outcome
    from moved_key as m
    where m.outcome <> 'rekeyed' or m.old_key <> m.new_key;

    -- What points at a record by its key follows it, unless the record kept its own.
    foreach holding in array array[
        'quarantine.problem_row', 'reconciliation.difference', 'ledger.warned_row', 'clearance.service',
        'clearance.touched', 'clearance.entry', 'clearance.correction', 'clearance.archived', 'clearance.reveal'
    ]
    loop
        execute format(
            'create temporary table pointing on commit drop as
            select distinct t.record_key as old_key, pg_temp.compared(t.record_key) as new_key from %s as t
            where t.record_key <> pg_temp.compared(t.record_key)
                and t.record_key not in (select m.old_key from moved_key as m where m.outcome = ''kept_apart'')',
            holding
        );
        -- Of two that would become one, the one that is written so already stays, and the other keeps its key.
        if holding like 'clearance.%' or holding = 'reconciliation.difference' then
            execute format(
                'delete from pointing as p using %s as t where t.record_key = p.new_key', holding
            );
            delete from pointing as p using pointing as q where q.new_key = p.new_key and q.old_key < p.old_key;
        end if;
        execute format('update %s as t set record_key = p.new_key from pointing as p where t.record_key = p.old_key', holding);
        insert into ledger.rekeyed_record (table_name, old_key, new_key, outcome)
        select holding, p.old_key, p.new_key, 'rekeyed' from pointing as p;
        drop table pointing;
    end loop;
end
$rekey$;

-- Numbers that cases and evaluations are joined by are stored as they are compared.
update store.service_case set
    case_number = pg_temp.compared(case_number),
    service_number = pg_temp.compared(service_number)
where case_number <> pg_temp.compared(case_number) or service_number <> pg_temp.compared(service_number);
update store.evaluation set
    case_number = pg_temp.compared(case_number),
    service_number = pg_temp.compared(service_number)
where case_number <> pg_temp.compared(case_number) or service_number <> pg_temp.compared(service_number);
update store.case_result set case_number = pg_temp.compared(case_number)
where case_number <> pg_temp.compared(case_number);

-- Keys that say that there is no number, and certificates that may have swallowed one another: ① was read as 1.
insert into ledger.rekeyed_record (table_name, license_type, old_key, new_key, outcome)
select
    'store.certificate' as table_name,
    s.license_type,
    s.record_key as old_key,
    s.record_key as new_key,
    'no_number' as outcome
from store.certificate as s
where
    s.record_key ~ '^[-_./*#() 0]*$'
    or s.record_key in ('无', '暂无', '未知', '不详', '待办理', '待定', '见附件', '办理中', '没有', '空', 'NAN', 'NONE', 'UNDEFINED')
union all
select distinct
    'store.certificate' as table_name,
    s.license_type,
    s.record_key as old_key,
    s.record_key as new_key,
    'may_be_two' as outcome
from store.certificate as s
inner join store.certificate_history as h on s.license_type = h.license_type and s.record_key = h.record_key
where octet_length(s.record_key) <> length(s.record_key) and h.holder_code <> s.holder_code;

-- The checksums by day are over keys: the next reconciliation makes them anew.
delete from reconciliation.store_batch;
delete from reconciliation.store_day;
