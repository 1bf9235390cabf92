create schema reconciliation;

-- Owned by the reconciliation: what a source and the store do not agree on. The collection rate counts what is missing.
create table reconciliation.difference (
    difference_id bigint generated always as identity primary key,
    department text collate "C" not null,
    feed text collate "C" not null,
    dataset text collate "C" not null,
    license_type text collate "C",
    record_key text collate "C" not null,
    kind text collate "C" not null check (kind in ('missing_in_store', 'missing_at_source', 'differs')),
    found_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    settled_at timestamptz,
    check ((dataset = 'certificate') = (license_type is not null))
);
comment on table reconciliation.difference is '比对差异：来源与库不一致的记录';
create unique index difference_standing on reconciliation.difference (department, feed, record_key)
where settled_at is null;

alter table reconciliation.difference add column source_at timestamptz;
alter table reconciliation.difference add column store_at timestamptz;
alter table reconciliation.difference add column problem_id bigint references quarantine.problem_row;
comment on column reconciliation.difference.source_at is '来源中该记录最新一行的时间，来源没有时为空';
comment on column reconciliation.difference.store_at is '库中该记录当前版本的时间，库中没有时为空';

create table reconciliation.run (
    run_id bigint generated always as identity primary key,
    department text collate "C" not null,
    feed text collate "C" not null,
    -- What was asked: null for no bound.
    since timestamptz,
    until timestamptz,
    -- The comparison's instant: what changed behind it at the source waits for the next night.
    compared_until timestamptz,
    method text collate "C" not null check (method in ('day_sums', 'keys', 'snapshot', 'not_comparable')),
    started_at timestamptz not null,
    finished_at timestamptz not null default clock_timestamp(),
    source_count bigint,
    store_count bigint,
    days bigint,
    unequal_days bigint,
    -- Of each explanation, how many keys it explains.
    explained jsonb not null default '{}',
    missing_in_store bigint not null default 0,
    missing_at_source bigint not null default 0,
    differs bigint not null default 0,
    note text,
    check ((method = 'not_comparable') = (source_count is null))
);
comment on table reconciliation.run is '比对：每来源每次一行';
create index run_of_feed on reconciliation.run (department, feed, run_id);

-- The roll-up of the store by day of the version's time in Asia/Shanghai, as of the batches in store_batch.
create table reconciliation.store_day (
    dataset text collate "C" not null,
    license_type text collate "C" not null,
    department text collate "C" not null,
    feed text collate "C" not null,
    day date not null,
    number bigint not null,
    checksum numeric not null,
    primary key (department, feed, license_type, day)
);
comment on table reconciliation.store_day is '库内按来源、类型、日的条数与校验和';

create table reconciliation.store_batch (
    batch_id bigint primary key references ledger.batch
);
comment on table reconciliation.store_batch is '已计入 store_day 的批次';

create index certificate_history_replaced on store.certificate_history (replaced_by_batch_id);

-- What a reconciliation found goes into the ledger as a batch whose rows are all problems; no file belongs to it.
do $$
declare
    old record;
begin
    for old in
        select
            conname,
            pg_get_constraintdef(oid) as definition
        from pg_constraint
        where
            conrelid = 'ledger.batch'::regclass and contype = 'c'
            and (pg_get_constraintdef(oid) like '%origin%' or pg_get_constraintdef(oid) like '%landing_path%')
    loop
        execute format('alter table ledger.batch drop constraint %I', old.conname);
    end loop;
end
$$;
alter table ledger.batch add constraint batch_origin_check
check (origin in ('delivery', 'replay', 'redrive', 'reconciliation'));
alter table ledger.batch add constraint batch_redrives_check
check ((origin in ('delivery', 'reconciliation')) = (redrives_batch_id is null));
alter table ledger.batch add constraint batch_landed_check check (
    status = 'rejected' or origin = 'reconciliation' or (sha256 is not null and landing_path is not null)
);
comment on column ledger.batch.origin is
'delivery 部门送来；replay 原落地文件重走一遍；redrive 由留存的问题数据重走一遍；reconciliation 比对发现的差异';
