-- Other data sets than certificates go the same road: the key of a record has one name everywhere.
alter table store.certificate rename column certificate_key to record_key;
alter table store.certificate_history rename column certificate_key to record_key;
alter table quarantine.problem_row rename column certificate_key to record_key;

alter table ledger.batch alter column license_type drop not null;
alter table ledger.batch add column dataset text collate "C" not null default 'certificate';
alter table ledger.batch alter column dataset drop default;
alter table ledger.batch add check ((dataset = 'certificate') = (license_type is not null));
comment on column ledger.batch.license_type is '证照类型，仅 dataset 为 certificate 时有';

alter table quarantine.problem_row alter column license_type drop not null;
alter table quarantine.problem_row add column dataset text collate "C" not null default 'certificate';
alter table quarantine.problem_row alter column dataset drop default;

create table store.service_case (
    record_key text collate "C" not null primary key,
    case_number text collate "C",
    service_number text collate "C",
    service_item_code text collate "C",
    service_item_name text collate "C",
    case_kind text collate "C",
    case_state text collate "C",
    is_internal text collate "C",
    case_channel text collate "C",
    applicant text collate "C",
    phone text collate "C",
    accepted_at timestamptz,
    finished_at timestamptz,
    district text collate "C",
    handling_department text collate "C",
    hall text collate "C",
    "window" text collate "C",
    handler text collate "C",
    source_updated_at timestamptz,
    extension jsonb not null,
    district_delivered text collate "C",
    version_at timestamptz not null,
    version_no integer not null,
    row_hash bigint not null,
    department text collate "C" not null,
    feed text collate "C" not null,
    batch_id bigint not null,
    row_no bigint not null,
    loaded_at timestamptz not null,
    removed_at timestamptz,
    removal text collate "C" check (removal in ('deleted', 'disappeared')),
    check ((removed_at is null) = (removal is null))
);
comment on table store.service_case is '办件：每办件每次服务一行，当前版本';
create index service_case_batch on store.service_case (batch_id);

create table store.service_case_history (
    like store.service_case,
    replaced_by_batch_id bigint not null,
    replaced_at timestamptz not null,
    primary key (record_key, version_no)
);
comment on table store.service_case_history is '被替换的旧版本';

create table store.evaluation (
    record_key text collate "C" not null primary key,
    evaluation_number text collate "C",
    case_number text collate "C",
    service_number text collate "C",
    level text collate "C",
    evaluation_channel text collate "C",
    is_default text collate "C",
    is_effective text collate "C",
    is_real_name text collate "C",
    evaluated_at timestamptz,
    reason text collate "C",
    device text collate "C",
    evaluation_window text collate "C",
    called_back_at timestamptz,
    rectified_at timestamptz,
    source_updated_at timestamptz,
    extension jsonb not null,
    district_delivered text collate "C",
    version_at timestamptz not null,
    version_no integer not null,
    row_hash bigint not null,
    department text collate "C" not null,
    feed text collate "C" not null,
    batch_id bigint not null,
    row_no bigint not null,
    loaded_at timestamptz not null,
    removed_at timestamptz,
    removal text collate "C" check (removal in ('deleted', 'disappeared')),
    check ((removed_at is null) = (removal is null))
);
comment on table store.evaluation is '好差评：每次评价一行，当前版本';
create index evaluation_batch on store.evaluation (batch_id);

create table store.evaluation_history (
    like store.evaluation,
    replaced_by_batch_id bigint not null,
    replaced_at timestamptz not null,
    primary key (record_key, version_no)
);
comment on table store.evaluation_history is '被替换的旧版本';
