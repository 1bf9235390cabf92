-- name: highest_given
select ledger.highest_given(%(kind)s, %(scope)s);

-- name: timeline
-- The server's timeline, the one that the store is known to be on, and the newest batch and seal that it has.
select
    r.timeline as known_timeline,
    r.restore_id,
    r.restored_to,
    r.finished_at,
    ledger.timeline() as timeline,
    (
        select max(b.recorded_at)
        from ledger.batch as b
    ) as newest_batch,
    (
        select max(s.sealed_at)
        from audit.seal as s
    ) as newest_seal
from ledger.restore as r
order by r.restore_id desc
limit 1;

-- name: sequences
-- The columns whose numbers are given by a sequence, those of our schemas.
select
    n.nspname as schema_name,
    t.relname as table_name,
    a.attname as column_name,
    pg_get_serial_sequence(format('%I.%I', n.nspname, t.relname), a.attname) as sequence_name
from pg_catalog.pg_attribute as a
inner join pg_catalog.pg_class as t on a.attrelid = t.oid
inner join pg_catalog.pg_namespace as n on t.relnamespace = n.oid
where
    a.attidentity <> '' and t.relkind = 'r' and a.atttypid = 'bigint'::regtype
    and n.nspname = any(
        array['ledger', 'quarantine', 'clearance', 'review', 'reconciliation', 'stock', 'store', 'audit']
    )
order by n.nspname, t.relname, a.attname;

-- name: given_versions
-- The highest version of each list and night, and the highest number of each year of the problem ledger.
with given as (
    select
        'list' as kind,
        format('%s %s', to_char(day, 'YYYY-MM-DD'), kind) as scope,
        version as number
    from clearance.list
    union all
    select
        'night_report' as kind,
        to_char(night, 'YYYY-MM-DD') as scope,
        version as number
    from review.night_report
    union all
    select
        'ledger_entry' as kind,
        split_part(entry_no, '-', 1) as scope,
        split_part(entry_no, '-', 2)::integer as number
    from review.ledger_entry
)

select
    kind,
    scope,
    max(number) as highest
from given
group by kind, scope;

-- name: raise_floor
insert into ledger.number_floor (kind, scope, highest)
values (%(kind)s, %(scope)s, %(highest)s)
on conflict (kind, scope) do update set highest = greatest(number_floor.highest, excluded.highest);

-- name: record_restore
insert into ledger.restore (timeline, restored_to, finished_by, reason, given_up, void_heads, numbers)
values (
    ledger.timeline(), %(restored_to)s, %(finished_by)s, %(reason)s, %(given_up)s, %(void_heads)s, %(numbers)s
)
returning restore_id;

-- name: seals_after
select
    seal_id,
    encode(head, 'hex') as head
from audit.seal
where seal_id > %(seal_id)s
order by seal_id;

-- name: newest_seal
select coalesce(max(seal_id), 0) as seal_id
from audit.seal;

-- name: void_heads
select
    h.key::bigint as seal_id,
    h.value as head,
    r.restored_to
from ledger.restore as r
cross join lateral jsonb_each_text(r.void_heads) as h;

-- name: record_restored_batch
insert into ledger.restored_batch (batch_id, restore_id, earlier_batch_id)
values (%(batch_id)s, %(restore_id)s, %(earlier_batch_id)s)
on conflict (batch_id) do nothing;

-- name: batches_since
select *
from ledger.batch
where recorded_at > %(since)s and recorded_at <= %(until)s
order by landed_at, batch_id;

-- name: known_batches
select batch_id
from ledger.batch
where batch_id = any(%(batch_ids)s::bigint[]);

-- name: newest_batch
select
    batch_id,
    recorded_at
from ledger.batch
where not exists (
        select from ledger.restored_batch as r
        where r.batch_id = batch.batch_id
    )
order by batch_id desc
limit 1;

-- name: same_batch
select count(*) > 0
from ledger.batch
where batch_id = %(batch_id)s and recorded_at = %(recorded_at)s;

-- name: server
select -- noqa: ST06
    pg_postmaster_start_time() as started_at,
    current_setting('port') as port,
    current_database() as database_name,
    clock_timestamp() as now;

-- name: returns_given_up
select
    return_id,
    department,
    made_at,
    problems
from quarantine.problem_return
where return_id > %(return_id)s
order by return_id;

-- name: decisions_given_up
select
    batch_id,
    decision,
    decided_by,
    decided_at
from ledger.decision
where decision_id > %(decision_id)s
order by decision_id;

-- name: landed_batches
-- What each landed file is to the ledger; several batches may have the same file. Those that retention removed are
-- gone.
select
    b.landing_path,
    min(b.source_bytes) as source_bytes,
    min(b.sha256) as sha256,
    min(b.batch_id) as batch_id
from ledger.batch as b
where
    b.landing_path is not null
    and not exists (
        select from ledger.removal as r
        where r.kind = 'landed' and r.name = b.landing_path
    )
group by b.landing_path
order by b.landing_path;

-- name: batches_to_finish
select batch_id
from ledger.batch
where status in ('landed', 'staged', 'validated')
order by landed_at, batch_id;

-- name: backup_state
-- WAL since the end of the newest archived file; all of it where none was archived.
select -- noqa: ST06
    current_setting('archive_mode') <> 'off' as archiving,
    a.last_archived_time as last_archived_at,
    case
        when a.last_failed_time > coalesce(a.last_archived_time, '-infinity') then a.last_failed_time
    end as failing_since,
    greatest(
        0,
        pg_wal_lsn_diff(
            pg_current_wal_lsn(),
            case
                when a.last_archived_wal ~ '^[0-9A-F]{24}$'
                    then format(
                            '%s/%s',
                            substr(a.last_archived_wal, 9, 8),
                            lpad(to_hex(('x' || substr(a.last_archived_wal, 17, 8))::bit(32)::bigint << 24), 8, '0')
                        )::pg_lsn + 16777216
                else '0/0'::pg_lsn
            end
        )
    )::bigint as waiting_bytes,
    b.finished_at as last_backup_at,
    b.kind as last_backup_kind
from pg_catalog.pg_stat_archiver as a
left join lateral (
    select
        finished_at,
        kind
    from ledger.base_backup
    order by finished_at desc
    limit 1
) as b on true;

-- name: numbers
select numbers
from ledger.restore
where restore_id = %(restore_id)s;
