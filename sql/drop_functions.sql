-- All functions are those of sql/functions, which every `zhengku db upgrade` runs next; an older release may have had
-- them with other parameters, which `create or replace` refuses, or more of them. What triggers, indexes or constraints
-- use stays, and is replaced.
do $drop$
declare
    known constant text[] := array[
        'clean', 'rules', 'store', 'certificate_of', 'ledger', 'quarantine', 'clearance', 'stock', 'reconciliation',
        'review', 'audit', 'watch'
    ];
    unused regprocedure[];
    one regprocedure;
begin
    loop
        select array_agg(p.oid::regprocedure) into unused
        from pg_proc as p
        inner join pg_namespace as n on p.pronamespace = n.oid
        where
            n.nspname = any(known) and p.prokind in ('f', 'p')
            and not exists (
                select from pg_depend as d
                where d.refclassid = 'pg_proc'::regclass and d.refobjid = p.oid
            )
            and not exists (
                select from pg_depend as d
                where d.classid = 'pg_proc'::regclass and d.objid = p.oid and d.deptype = 'e'
            );
        exit when unused is null;
        foreach one in array unused
        loop
            execute format('drop routine %s', one);
        end loop;
    end loop;
end
$drop$;
