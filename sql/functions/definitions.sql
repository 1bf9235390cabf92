-- The changes of the schema that loading and publishing need, with the rights of the owner: the account of the pipeline
-- owns no table of the store (docs/decisions/0059).

-- Attach the table of a license type's first rows, which the caller has made in certificate_of, as its partition.
create or replace function store.attach_partition(of_type text, analysed text[])
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
declare
    account name;
begin
    execute format('alter table certificate_of.%I owner to %I', of_type, current_user);
    execute (
        select format('alter table certificate_of.%I ', of_type) || string_agg(action, ', ')
        from (
            select format('alter %I set not null', a.attname) as action
            from pg_attribute as a
            where
                a.attrelid = 'store.certificate'::regclass and a.attnum > 0 and not a.attisdropped and a.attnotnull
            union all
            select format('add constraint %I %s', c.conname, pg_get_constraintdef(c.oid))
            from pg_constraint as c
            where c.conrelid = 'store.certificate'::regclass and c.contype = 'c'
            union all
            -- This check makes a scan of all rows unnecessary when the table is attached as the type's partition.
            select format('add constraint one_type check (license_type = %L)', of_type)
        ) as promised
    );
    execute format(
        'alter table store.certificate attach partition certificate_of.%1$I for values in (%1$L)', $1
    );
    execute format('alter table certificate_of.%I drop constraint one_type', of_type);
    for account in
        select r.rolname from pg_roles as r where r.rolname = 'zhengku_pipeline'
    loop
        execute format(
            'grant select, insert, update on certificate_of.%I to %I', of_type, account
        );
    end loop;
    execute format(
        'analyze certificate_of.%I (%s)', of_type,
        (select string_agg(quote_ident(name), ', ') from unnest(analysed) as name)
    );
end
$$;

-- Without the primary key a million rows are written in half the time: dropped for the very first list alone, and
-- created again afterwards.
create or replace function clearance.drop_entry_key()
returns void
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
as $$
begin
    if exists (select from clearance.entry) then
        raise exception 'clearance.entry has rows: its key is only dropped before the first list.';
    end if;
    alter table clearance.entry drop constraint entry_pkey;
end
$$;

create or replace function clearance.add_entry_key()
returns void
language sql
security definer
set search_path = pg_catalog, pg_temp
as $$
    alter table clearance.entry add constraint entry_pkey primary key (record_key, first_list)
$$;
