-- The store as of an earlier moment: for every data set with a history, two functions, made from the history's own
-- columns.
--
-- store.<data set>_as_of(known_at): the versions that were in the store at a moment. A version counts from the finish
-- of the batch that brought it to the finish of the one that replaced it.
-- store.<data set>_valid_at(valid_at, known_at): of what was known at a moment, the versions that were current at
-- another moment by the departments' own clocks. A record that was deleted or had disappeared by then is left out.
do $make$
declare
    data_set text;
    kept text;
    current text;
    keys text;
begin
    for data_set in
        select left(tablename, -length('_history'))
        from pg_catalog.pg_tables
        where schemaname = 'store' and tablename like '%\_history'
    loop
        -- In the history's own order; a current version has not been replaced.
        select
            string_agg(format('v.%I', column_name), ', ' order by ordinal_position),
            string_agg(
                case
                    when column_name in ('replaced_by_batch_id', 'replaced_at')
                        then format('null::%s as %I', data_type, column_name)
                    else format('v.%I', column_name)
                end,
                ', '
                order by ordinal_position
            ),
            string_agg(format('v.%I', column_name), ', ') filter (where column_name in ('license_type', 'record_key'))
        into kept, current, keys
        from information_schema.columns
        where table_schema = 'store' and table_name = data_set || '_history';
        execute format(
            $function$
            create or replace function store.%1$I(known_at timestamptz)
            returns setof store.%2$I
            language sql stable parallel safe
            as $body$
                select %5$s
                from store.%4$I as v
                inner join ledger.batch as b on v.batch_id = b.batch_id
                where b.finished_at <= known_at
                union all
                select %3$s
                from store.%2$I as v
                inner join ledger.batch as b on v.batch_id = b.batch_id
                inner join ledger.batch as r on v.replaced_by_batch_id = r.batch_id
                where b.finished_at <= known_at and r.finished_at > known_at
            $body$
            $function$,
            data_set || '_as_of', data_set || '_history', kept, data_set, current
        );
        execute format(
            $function$
            create or replace function store.%1$I(valid_at timestamptz, known_at timestamptz)
            returns setof store.%2$I
            language sql stable parallel safe
            as $body$
                select %3$s
                from (
                    select distinct on (%5$s) *
                    from (
                        select %6$s
                        from store.%4$I as v
                        inner join ledger.batch as b on v.batch_id = b.batch_id
                        where b.finished_at <= known_at and v.version_at <= valid_at
                        union all
                        select %3$s
                        from store.%2$I as v
                        inner join ledger.batch as b on v.batch_id = b.batch_id
                        where b.finished_at <= known_at and v.version_at <= valid_at
                    ) as v
                    order by %5$s, v.version_at desc, v.version_no desc
                ) as v
                where v.removed_at is null or v.removed_at > valid_at
            $body$
            $function$,
            data_set || '_valid_at', data_set || '_history', kept, data_set, keys, current
        );
    end loop;
end
$make$;
