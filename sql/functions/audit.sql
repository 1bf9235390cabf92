-- Evidence (留痕): what it is, that it is only added to, and the seals by which a later change is found.
-- docs/decisions/0058.

create or replace function audit.refuse_change()
returns trigger
language plpgsql
as $$
begin
    raise exception using
        errcode = 'insufficient_privilege',
        message = format('%s.%s is evidence: its rows are never changed or deleted (%s)',
            tg_table_schema, tg_table_name, lower(tg_op)),
        hint = 'Add a row that says what is so now.';
end
$$;

-- The kinds of evidence. Of each: where its rows are, by which key one is named, when the server wrote it (null: it is
-- not complete yet, and no evidence), and the columns that are digested: all but those left out, or only those
-- that are named.
create or replace function audit.kinds()
returns table (
    kind text, of_table regclass, joined text, row_key text, written_at text, left_out text[], only_columns text[]
)
language sql
stable
as $$
    with of_list as (
        select 'inner join clearance.list as l on l.list_id = r.' as joined
    )
    select
        named.kind, named.of_table::regclass, named.joined, named.row_key, named.written_at, named.left_out,
        named.only_columns
    from of_list
    cross join lateral (
        values
        (
            'batch', 'ledger.batch', '', 'r.batch_id', $q$case when r.status in ('loaded', 'rejected') then r.finished_at end$q$,
            array['begun_step', 'step_deaths', 'taken_up_by'], null::text[]
        ),
        ('decision', 'ledger.decision', '', 'r.decision_id', 'r.decided_at', '{}', null),
        ('request', 'review.request', '', 'r.request_id', 'r.finished_at', '{}', null),
        ('reveal', 'clearance.reveal', '', 'r.reveal_id', 'r.revealed_at', '{}', null),
        ('hand_over', 'quarantine.hand_over', '', 'r.hand_over_id', 'r.handed_over_at', '{}', null),
        ('published_file', 'ledger.published_file', '', 'r.file_id', 'r.written_at', '{}', null),
        ('removal', 'ledger.removal', '', 'r.removal_id', 'r.removed_at', '{}', null),
        ('restore', 'ledger.restore', '', 'r.restore_id', 'r.finished_at', '{}', null),
        ('restored_batch', 'ledger.restored_batch', '', 'r.batch_id', 'r.recorded_at', '{}', null),
        ('problem_event', 'quarantine.problem_event', '', 'r.event_id', 'r.happened_at', '{}', null),
        ('problem_return', 'quarantine.problem_return', '', 'r.return_id', 'r.made_at', array['files'], null),
        ('night_report', 'review.night_report', '', 'r.night, r.version', 'r.made_at', '{}', null),
        ('list', 'clearance.list', '', 'r.list_id', 'r.written_at', '{}', null),
        (
            'list_entry', 'clearance.entry', of_list.joined || 'first_list', 'r.record_key, r.first_list',
            'l.written_at', array['until_list'], null
        ),
        (
            'list_entry_end', 'clearance.entry', of_list.joined || 'until_list', 'r.record_key, r.first_list',
            'l.written_at', '{}', array['record_key', 'first_list', 'until_list']
        ),
        (
            'list_correction', 'clearance.correction', of_list.joined || 'list_id', 'r.list_id, r.record_key',
            'l.written_at', '{}', null
        ),
        (
            'list_archived', 'clearance.archived', of_list.joined || 'list_id', 'r.record_key',
            'l.written_at', '{}', null
        ),
        (
            'list_departure', 'clearance.departure', of_list.joined || 'list_id', 'r.list_id, r.record_key',
            'l.written_at', '{}', null
        )
    ) as named (kind, of_table, joined, row_key, written_at, left_out, only_columns)
    union all
    -- The versions that were replaced, of every data set.
    select
        t.relname::text, t.oid::regclass, '',
        (
            select string_agg('r.' || quote_ident(a.attname), ', ' order by array_position(i.indkey::int2[], a.attnum))
            from pg_catalog.pg_index as i
            inner join pg_catalog.pg_attribute as a on a.attrelid = i.indrelid and a.attnum = any(i.indkey::int2[])
            where i.indrelid = t.oid and i.indisprimary
        ),
        'r.replaced_at', '{}', null
    from pg_catalog.pg_class as t
    where t.relnamespace = 'store'::regnamespace and t.relkind = 'r' and t.relname like '%\_history'
$$;

-- The columns of a kind that are digested, in the order of the table.
create or replace function audit.columns_of(of_table regclass, left_out text[], only_columns text[])
returns text[]
language sql
stable
as $$
    select array_agg(a.attname::text order by a.attnum)
    from pg_catalog.pg_attribute as a
    where
        a.attrelid = of_table and a.attnum > 0 and not a.attisdropped
        and a.attname <> all(left_out) and (only_columns is null or a.attname = any(only_columns))
$$;

-- The query for the evidence of a kind: key and digest of each row that the server wrote in a span of time. Its
-- parameters are $1 and $2, the start and the end of the span.
create or replace function audit.query_of(of_kind text, digested_columns text[])
returns text
language sql
stable
as $$
    select format(
        $q$
        select
            row(%1$s)::text as row_key,
            sha256(convert_to(%2$L || row(%3$s)::text, 'UTF8')) as digest
        from %4$s as r %5$s
        where %6$s >= $1 and %6$s < $2
        $q$,
        k.row_key, k.kind || ' ',
        (select string_agg('r.' || quote_ident(c.name), ', ' order by c.place)
            from unnest(digested_columns) with ordinality as c (name, place)),
        k.of_table, k.joined, k.written_at
    )
    from audit.kinds() as k
    where k.kind = of_kind
$$;

-- How many leaves each kind of a seal has (null: of every seal), and their digest, in one pass. In two stages, as one
-- text of all digests would be limited to 1 GB.
create or replace function audit.digests_of_leaves(of_seal bigint)
returns table (seal_number bigint, leaf_kind text, leaves bigint, whole bytea)
language sql
stable
as $$
    select g.seal_id, g.kind, sum(g.leaves)::bigint, sha256(string_agg(g.digest, '' order by g.part))
    from (
        select
            l.seal_id, l.kind, substr(l.digest, 1, 1) as part, count(*) as leaves,
            sha256(string_agg(l.digest || convert_to(l.row_key, 'UTF8'), '' order by l.row_key, l.digest)) as digest
        from audit.leaf as l
        where of_seal is null or l.seal_id = of_seal
        group by 1, 2, 3
    ) as g
    group by g.seal_id, g.kind
$$;

create or replace function audit.head_of(
    of_seal bigint, head_before bytea, sealed_from timestamptz, sealed_until timestamptz
)
returns bytea
language sql
stable
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
as $$
    select sha256(
        coalesce(head_before, '') || convert_to(
            format('%s %s %s ', of_seal, sealed_from, sealed_until)
            || coalesce((
                select string_agg(
                    format('%s %s %s %s', p.kind, p.digested_columns, p.sealed_rows, encode(p.digest, 'hex')), ' '
                    order by p.kind
                )
                from audit.seal_part as p
                where p.seal_id = of_seal
            ), ''),
            'UTF8'
        )
    )
$$;

-- Seal the evidence that was written since the last seal, until the start of the oldest transaction that still runs:
-- what such a transaction writes is sealed by a later one. Returns the newest seal.
create or replace function audit.close()
returns audit.seal
language plpgsql
security definer
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = '1'
as $$
declare
    last audit.seal;
    made audit.seal;
    part record;
begin
    perform pg_advisory_xact_lock(hashtextextended('zhengku.audit', 0));
    select * into last from audit.seal order by seal_id desc limit 1;
    made.seal_id := coalesce(last.seal_id, 0) + 1;
    made.head_before := last.head;
    made.sealed_from := coalesce(last.sealed_until, '-infinity');
    -- A session that starts now may not be seen yet, hence the second. A step of Airflow that runs for hours only delays.
    select least(clock_timestamp() - interval '1 second', min(a.xact_start)) into made.sealed_until
    from pg_stat_activity as a
    where a.datname = current_database() and a.pid <> pg_backend_pid() and a.backend_type = 'client backend';
    if made.sealed_until <= made.sealed_from then
        return last;
    end if;
    -- Written before its parts, which refer to it; a trigger allows changes within the transaction.
    insert into audit.seal (seal_id, sealed_from, sealed_until, sealed_rows, head_before, head)
    values (made.seal_id, made.sealed_from, made.sealed_until, 0, made.head_before, '');
    for part in
        select k.kind, audit.columns_of(k.of_table, k.left_out, k.only_columns) as digested
        from audit.kinds() as k
    loop
        execute format(
            'insert into audit.leaf (seal_id, kind, row_key, digest) select %s, %L, e.row_key, e.digest from (%s) as e',
            made.seal_id, part.kind, audit.query_of(part.kind, part.digested)
        ) using made.sealed_from, made.sealed_until;
    end loop;
    insert into audit.seal_part (seal_id, kind, digested_columns, sealed_rows, digest)
    select
        made.seal_id, k.kind, audit.columns_of(k.of_table, k.left_out, k.only_columns),
        coalesce(d.leaves, 0), coalesce(d.whole, sha256(''))
    from audit.kinds() as k
    left join audit.digests_of_leaves(made.seal_id) as d on k.kind = d.leaf_kind;
    update audit.seal as s
    set
        sealed_rows = (select sum(p.sealed_rows) from audit.seal_part as p where p.seal_id = made.seal_id),
        head = audit.head_of(made.seal_id, made.head_before, made.sealed_from, made.sealed_until)
    where s.seal_id = made.seal_id
    returning * into made;
    return made;
end
$$;

-- What is not as it was sealed; no row when all is. fault: 'changed', 'removed', 'inserted' (written, it says, before
-- the last seal, but no seal has it); 'leaves', 'chain': the seal itself was changed.
create or replace function audit.verify()
returns table (seal_id bigint, kind text, row_key text, fault text)
language plpgsql
stable
set search_path = pg_catalog, pg_temp
set timezone = 'UTC'
set datestyle = 'ISO, YMD'
set intervalstyle = 'postgres'
set bytea_output = 'hex'
set extra_float_digits = '1'
-- Nothing tells the planner how many rows there are: row by row, leaves and evidence would be compared each with each.
set enable_nestloop = 'off'
as $$
declare
    last audit.seal;
    part record;
begin
    select * into last from audit.seal as s order by s.seal_id desc limit 1;
    return query
    select s.seal_id, null::text, null::text, 'chain'
    from (
        select
            one.*,
            lag(one.head) over (order by one.seal_id) as head_of_last,
            lag(one.sealed_until) over (order by one.seal_id) as until_of_last,
            row_number() over (order by one.seal_id) as place
        from audit.seal as one
    ) as s
    where
        s.seal_id <> s.place
        or s.head_before is distinct from s.head_of_last
        or (s.seal_id > 1 and s.sealed_from is distinct from s.until_of_last)
        or s.head <> audit.head_of(s.seal_id, s.head_before, s.sealed_from, s.sealed_until)
        or s.sealed_rows <> (
            select coalesce(sum(p.sealed_rows), 0) from audit.seal_part as p where p.seal_id = s.seal_id
        )
    order by s.seal_id;
    return query
    select coalesce(p.seal_id, d.seal_number), coalesce(p.kind, d.leaf_kind), null::text, 'leaves'
    from audit.seal_part as p
    full join audit.digests_of_leaves(null) as d on p.seal_id = d.seal_number and p.kind = d.leaf_kind
    where
        p.seal_id is null or p.sealed_rows <> coalesce(d.leaves, 0) or p.digest <> coalesce(d.whole, sha256(''))
    order by 1, 2;
    -- A release may add columns to a table of evidence: older seals are compared by the columns that they digested.
    for part in
        select p.kind, p.digested_columns, array_agg(p.seal_id) as seals
        from audit.seal_part as p
        group by p.kind, p.digested_columns
    loop
        if audit.query_of(part.kind, part.digested_columns) is null then
            raise exception 'The kind of evidence % of seal % is not known to this release.', part.kind, part.seals[1];
        end if;
        return query execute format(
            $q$
            select l.seal_id, l.kind, l.row_key, case when e.row_key is null then 'removed' else 'changed' end
            from audit.leaf as l
            left join (%s) as e on l.row_key = e.row_key
            where l.kind = %L and l.seal_id = any(%L::bigint[]) and e.digest is distinct from l.digest
            order by l.seal_id, l.row_key
            $q$,
            audit.query_of(part.kind, part.digested_columns), part.kind, part.seals
        ) using '-infinity'::timestamptz, 'infinity'::timestamptz;
    end loop;
    for part in
        select k.kind, audit.columns_of(k.of_table, k.left_out, k.only_columns) as digested
        from audit.kinds() as k
    loop
        return query execute format(
            $q$
            select null::bigint, %1$L, e.row_key, 'inserted'
            from (%2$s) as e
            where not exists (select from audit.leaf as l where l.kind = %1$L and l.row_key = e.row_key)
            order by e.row_key
            $q$,
            part.kind, audit.query_of(part.kind, part.digested)
        ) using '-infinity'::timestamptz, coalesce(last.sealed_until, '-infinity');
    end loop;
end
$$;

-- Evidence is only added to. A row may change within the transaction that wrote it; a batch, a request, a return,
-- a removal and the stay of a service on lists until they are complete.
do $guard$
declare
    guarded regclass;
    changeable text;
    wanted text[];
begin
    for guarded in
        select distinct k.of_table from audit.kinds() as k
        union all
        values ('audit.seal'::regclass), ('audit.seal_part'), ('audit.leaf')
    loop
        changeable := case guarded::text
            when 'ledger.batch' then
                $q$old.status in ('loaded', 'rejected')
                and to_jsonb(old) - array['begun_step', 'step_deaths', 'taken_up_by']
                is distinct from to_jsonb(new) - array['begun_step', 'step_deaths', 'taken_up_by']$q$
            when 'review.request' then
                $q$old.finished_at is not null
                or to_jsonb(old) - array['finished_at', 'failed', 'outcome']
                is distinct from to_jsonb(new) - array['finished_at', 'failed', 'outcome']$q$
            when 'ledger.removal' then
                $q$old.removed_at is not null
                or to_jsonb(old) - 'removed_at' is distinct from to_jsonb(new) - 'removed_at'$q$
            when 'quarantine.problem_return' then
                $q$to_jsonb(old) - 'files' is distinct from to_jsonb(new) - 'files'$q$
            when 'clearance.entry' then
                $q$old.until_list is not null
                or to_jsonb(old) - 'until_list' is distinct from to_jsonb(new) - 'until_list'$q$
            else 'true'
        end;
        foreach wanted slice 1 in array array[
            ['refuse_update', 'before update', format(
                'for each row when (old.xmin <> pg_current_xact_id()::xid and (%s))', changeable
            )],
            ['refuse_delete', 'before delete', 'for each row'],
            ['refuse_truncate', 'before truncate', 'for each statement']
        ]
        loop
            -- Only what is new: making a trigger waits for the writers of its table.
            continue when exists (
                select from pg_catalog.pg_trigger as t
                where
                    t.tgrelid = guarded and t.tgname = wanted[1]
                    and obj_description(t.oid, 'pg_trigger') = wanted[3]
            );
            execute format(
                'create or replace trigger %I %s on %s %s execute function audit.refuse_change()',
                wanted[1], wanted[2], guarded, wanted[3]
            );
            execute format('comment on trigger %I on %s is %L', wanted[1], guarded, wanted[3]);
        end loop;
    end loop;
end
$guard$;
