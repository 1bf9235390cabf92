-- docs/decisions/0067: after a restore no number is given a second time. Functions are in sql/functions/restore.sql.
create table ledger.restore (
    restore_id bigint generated always as identity primary key,
    -- The server's timeline: PostgreSQL counts it up at the end of every recovery to a moment, and of a failover.
    timeline integer not null check (timeline > 0),
    -- Null in the first row, which the migration writes: the store was made, or grew up to here.
    restored_to timestamptz,
    finished_at timestamptz not null default clock_timestamp(),
    finished_by text not null check (btrim(finished_by) <> ''),
    reason text not null check (btrim(reason) <> ''),
    -- Rows given up by table, null where what was given up could not be read.
    given_up jsonb,
    -- Heads of the seals that were given up, by the number of the seal.
    void_heads jsonb not null default '{}',
    -- Of each kind of numbers: the highest that is known to have been given, and the first of those to come.
    numbers jsonb not null default '{}'
);
comment on table ledger.restore is '数据库恢复记录：恢复到何时、放弃了什么、编号从何处续起；时间线与服务器不符时不给任何编号';

create table ledger.restored_batch (
    batch_id bigint primary key references ledger.batch,
    restore_id bigint not null references ledger.restore,
    -- Its number in what was given up; null where that could not be read.
    earlier_batch_id bigint,
    recorded_at timestamptz not null default clock_timestamp()
);
comment on table ledger.restored_batch is '恢复后按落地文件重新登记的批次，及其原批次号';

create table ledger.number_floor (
    kind text collate "C" not null check (kind in ('list', 'night_report', 'ledger_entry')),
    -- Day and kind of a list, the night of a report, the year of the problem ledger.
    scope text collate "C" not null,
    highest integer not null check (highest > 0),
    primary key (kind, scope)
);
comment on table ledger.number_floor is '恢复后版次与台账编号的起点：其前（含）的编号可能已发出，不再使用';

create table ledger.base_backup (
    label text collate "C" primary key,
    kind text collate "C" not null check (kind in ('full', 'diff', 'incr')),
    finished_at timestamptz not null default clock_timestamp()
);
comment on table ledger.base_backup is '数据库基础备份：由备份服务在每次完成后登记，供过期告警';

insert into ledger.restore (timeline, finished_by, reason)
values (
    ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer,
    'zhengku db upgrade',
    'the timeline on which this store is from here on'
);
