-- docs/runbooks/backfill.md: what was issued since 2019, read by month beside the nightly runs.
alter table ledger.batch add column backfill_month date check (extract(day from backfill_month) = 1);
comment on column ledger.batch.backfill_month is '回溯的月份（当月第一日），仅 origin 为 backfill 时有';
alter table ledger.batch drop constraint batch_origin_check;
alter table ledger.batch add constraint batch_origin_check
check (origin in ('delivery', 'backfill', 'replay', 'redrive', 'reread', 'reconciliation'));
alter table ledger.batch drop constraint batch_redrives_check;
alter table ledger.batch add constraint batch_redrives_check
check ((origin in ('delivery', 'backfill', 'reconciliation')) = (redrives_batch_id is null));
alter table ledger.batch add constraint batch_backfill_check
check ((origin = 'backfill') = (backfill_month is not null));
comment on column ledger.batch.origin is
'delivery 部门送来；backfill 按月回溯；replay 原落地文件整批重走；redrive 由留存的问题数据重走；'
'reread 由原落地文件中的问题数据重走；reconciliation 比对发现的差异';

create table ledger.backfill_month (
    department text collate "C" not null,
    feed text collate "C" not null,
    month date not null check (extract(day from month) = 1),
    state text collate "C" not null check (state in ('running', 'done', 'held', 'failed')),
    run_id text collate "C" not null,
    batches integer not null default 0,
    fetched bigint not null default 0,
    written bigint not null default 0,
    quarantined bigint not null default 0,
    detail text,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    primary key (department, feed, month),
    check ((state = 'running') = (finished_at is null))
);
comment on table ledger.backfill_month is '回溯进度：各来源各月';
