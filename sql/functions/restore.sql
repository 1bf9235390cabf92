-- After a restore or a failover no number is given before `zhengku restore finish` has raised them: what was given
-- since the moment that was restored stands on paper and in files, and no longer here. docs/decisions/0067.

create or replace function ledger.timeline()
returns integer
language sql
stable
as $$
    select ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer
$$;

create or replace function ledger.require_finished_restore()
returns trigger
language plpgsql
as $$
declare
    known integer := (select r.timeline from ledger.restore as r order by r.restore_id desc limit 1);
begin
    if ledger.timeline() <> known then
        raise exception using
            errcode = 'object_not_in_prerequisite_state',
            message = format(
                'the database was restored: expected timeline %s, got %s; no number is given before '
                '`zhengku restore finish` has run (docs/runbooks/restore.md)', known, ledger.timeline()
            );
    end if;
    return null;
end
$$;

-- The highest version or number that may have been given before a restore; 0 where nothing was.
create or replace function ledger.highest_given(of_kind text, of_scope text)
returns integer
language sql
stable
as $$
    select coalesce(
        (select f.highest from ledger.number_floor as f where f.kind = of_kind and f.scope = of_scope),
        0
    )
$$;

do $guard$
declare
    guarded regclass;
begin
    foreach guarded in array array[
        'ledger.batch', 'ledger.decision', 'ledger.published_file', 'quarantine.problem_return', 'quarantine.hand_over',
        'quarantine.problem_row', 'clearance.list', 'clearance.reveal', 'review.request', 'review.night_report',
        'review.ledger_entry', 'audit.seal'
    ]::regclass[]
    loop
        -- Only what is new: making a trigger waits for the writers of its table.
        continue when exists (
            select from pg_catalog.pg_trigger as t
            where t.tgrelid = guarded and t.tgname = 'require_finished_restore'
        );
        execute format(
            'create trigger require_finished_restore before insert on %s '
            'for each statement execute function ledger.require_finished_restore()', guarded
        );
    end loop;
end
$guard$;
