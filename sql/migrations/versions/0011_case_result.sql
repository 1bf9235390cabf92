-- What cases produced (办件结果): the certificates that approvals made, of which each must be in the store.
create table store.case_result (
    record_key text collate "C" not null primary key,
    case_number text collate "C",
    result_number text collate "C",
    result_type text collate "C",
    certificate_name text collate "C",
    certificate_number text collate "C",
    issuing_authority text collate "C",
    produced_at timestamptz,
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
comment on table store.case_result is '办件结果：办件产生的每件证照或文书一行，当前版本';
create index case_result_batch on store.case_result (batch_id);

create table store.case_result_history (
    like store.case_result,
    replaced_by_batch_id bigint not null,
    replaced_at timestamptz not null,
    primary key (record_key, version_no)
);
comment on table store.case_result_history is '被替换的旧版本';

alter table store.case_result add column received_hash bigint;
alter table store.case_result add column warning_set integer;
