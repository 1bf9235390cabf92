-- What each account of the database may do (docs/decisions/0059). Run after the functions by every `zhengku db
-- upgrade`, and by `zhengku db roles`; an account that does not exist is passed over.
--
-- zhengku_pipeline  runs the steps: reads and writes, but neither changes nor deletes evidence, and owns no table
-- zhengku_pages     serves the pages: reads, and calls the functions of sql/functions/pages.sql
-- zhengku_notices   reads lists, reports and figures, and records what is out of order and what people were told of it
-- zhengku_reports   reads lists, reports and figures: no certificate, no problem record
do $rights$
declare
    schemas constant text[] := array[
        'store', 'certificate_of', 'ledger', 'quarantine', 'clearance', 'stock', 'reconciliation', 'review', 'audit',
        'watch'
    ];
    functions constant text[] := array['clean', 'rules'];
    -- Evidence is only added to; of some of it, these columns are completed later (sql/functions/audit.sql).
    completed constant jsonb := '{
        "review.request": ["finished_at", "failed", "outcome"],
        "quarantine.problem_return": ["problems", "files"],
        "clearance.entry": ["until_list"],
        "ledger.removal": ["removed_at"]
    }';
    -- Functions that run with the rights of the owner.
    of_owner regprocedure[];
    function regprocedure;
    account text;
    one text;
    part record;
begin
    select array_agg(p.oid::regprocedure) into of_owner
    from pg_proc as p
    where p.prosecdef and p.pronamespace = any(schemas::regnamespace[]);
    -- They are for the accounts that need them.
    foreach function in array of_owner
    loop
        execute format('revoke all on function %s from public', function);
    end loop;
    foreach account in array array['zhengku_pipeline', 'zhengku_pages', 'zhengku_notices', 'zhengku_reports']
    loop
        continue when to_regrole(account) is null;
        foreach one in array schemas || functions
        loop
            execute format('revoke all on all tables in schema %I from %I', one, account);
            execute format('revoke all on schema %I from %I', one, account);
            execute format('revoke all on all functions in schema %I from %I', one, account);
            execute format('grant usage on schema %I to %I', one, account);
        end loop;
    end loop;

    if to_regrole('zhengku_pipeline') is not null then
        execute format('grant create, temporary on database %I to zhengku_pipeline', current_database());
        grant create on schema certificate_of to zhengku_pipeline;
        foreach one in array schemas
        loop
            execute format('grant select on all tables in schema %I to zhengku_pipeline', one);
            continue when one = 'audit';
            execute format(
                'grant insert, update, delete on all tables in schema %I to zhengku_pipeline', one
            );
        end loop;
        -- Which release the database has is known by migrations alone.
        revoke insert, update, delete on ledger.schema_version from zhengku_pipeline;
        -- Who restores a database is its owner: what holds back numbers until then is not lifted by a step.
        revoke insert, update, delete on
            ledger.restore, ledger.restored_batch, ledger.number_floor, ledger.base_backup
        from zhengku_pipeline;
        -- What stands in the store is marked as removed, never deleted.
        for part in
            select t.oid::regclass as name
            from pg_class as t
            where
                t.relkind in ('r', 'p') and t.relnamespace = any(array['store', 'certificate_of']::regnamespace[])
        loop
            execute format('revoke delete on %s from zhengku_pipeline', part.name);
        end loop;
        for part in select distinct k.of_table as name from audit.kinds() as k
        loop
            execute format('revoke update, delete on %s from zhengku_pipeline', part.name);
        end loop;
        grant update on ledger.batch, clearance.list to zhengku_pipeline;
        for part in select key as name, value as columns from jsonb_each(completed)
        loop
            execute format(
                'grant update (%s) on %s to zhengku_pipeline',
                (select string_agg(quote_ident(c), ', ') from jsonb_array_elements_text(part.columns) as c), part.name
            );
        end loop;
        foreach function in array of_owner
        loop
            execute format('grant execute on function %s to zhengku_pipeline', function);
        end loop;
        -- Staged before these accounts were made: the pipeline continues these batches.
        for part in
            select n.nspname as name, t.relname as table_name
            from pg_namespace as n
            left join pg_class as t on t.relnamespace = n.oid and t.relkind = 'r'
            where n.nspname ~ '^batch_[0-9]+$' and n.nspowner <> to_regrole('zhengku_pipeline')
        loop
            if part.table_name is not null then
                execute format('alter table %I.%I owner to zhengku_pipeline', part.name, part.table_name);
            end if;
        end loop;
        for part in
            select n.nspname as name
            from pg_namespace as n
            where n.nspname ~ '^batch_[0-9]+$' and n.nspowner <> to_regrole('zhengku_pipeline')
        loop
            execute format('alter schema %I owner to zhengku_pipeline', part.name);
        end loop;
    end if;

    if to_regrole('zhengku_pages') is not null then
        foreach one in array schemas
        loop
            execute format('grant select on all tables in schema %I to zhengku_pages', one);
        end loop;
        for function in
            select p.oid::regprocedure
            from pg_proc as p
            where
                p.oid = any(of_owner)
                and (p.pronamespace::regnamespace::text, p.proname::text) in (
                    ('review', 'ask'), ('review', 'record_notification'), ('quarantine', 'waive'), ('quarantine', 'write_off'),
                    ('quarantine', 'record_download'), ('clearance', 'record_opening'), ('clearance', 'record_reveal')
                )
        loop
            execute format('grant execute on function %s to zhengku_pages', function);
        end loop;
    end if;

    foreach account in array array['zhengku_notices', 'zhengku_reports']
    loop
        continue when to_regrole(account) is null;
        foreach one in array array['clearance', 'stock', 'review', 'watch']
        loop
            execute format('grant select on all tables in schema %I to %I', one, account);
        end loop;
        execute format(
            'grant select on'
            ' ledger.batch, ledger.rule_result, store.service_case, store.service_case_history,'
            ' store.evaluation, store.evaluation_history, store.case_result, store.case_result_history'
            ' to %I', account
        );
        -- Who looked at a telephone number, and the wording of requests, are not a part of any list.
        execute format('revoke select on clearance.reveal, clearance.opened, review.request from %I', account);
    end loop;
    if to_regrole('zhengku_notices') is not null then
        grant insert, update, delete on all tables in schema watch to zhengku_notices;
    end if;
    if to_regrole('zhengku_reports') is not null then
        -- For the figures of `zhengku metrics`: how many wait, and for how long.
        grant select (asked_at, finished_at) on review.request to zhengku_reports;
        grant select (department, status) on quarantine.problem_row to zhengku_reports;
    end if;
end
$rights$;
