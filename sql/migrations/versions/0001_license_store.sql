create schema store;
-- The partitions of store.certificate, one for each license type, by its key. A type's first load makes its partition.
create schema certificate_of;
create schema quarantine;

create table ledger.batch (
    batch_id bigint generated always as identity primary key,
    department text collate "C" not null,
    feed text collate "C" not null,
    license_type text collate "C" not null,
    run_id text collate "C" not null,
    -- A later run that found this batch unfinished.
    taken_up_by text collate "C",
    status text not null check (status in ('landed', 'staged', 'validated', 'loaded', 'held', 'rejected')),
    source_name text not null,
    source_bytes bigint not null,
    source_modified_at timestamptz not null,
    sha256 text collate "C",
    landing_path text,
    -- When these bytes first came: an increment that is sent once more is not newer for that.
    landed_at timestamptz not null,
    manifest jsonb,
    -- What part of the feed was read, by the department's clock, and how far: the watermark moves there with the rows.
    window_start timestamptz,
    window_end timestamptz,
    position_at timestamptz,
    position_key text[] not null default '{}',
    config_digest text collate "C" not null,
    -- An identical file that was loaded before, when nothing has touched its rows since.
    repeats_batch_id bigint references ledger.batch,
    absent_fields text[] not null default '{}',
    unknown_columns text[] not null default '{}',
    blank_lines bigint not null default 0,
    fetched bigint,
    staged bigint,
    inserted bigint not null default 0,
    updated bigint not null default 0,
    unchanged bigint not null default 0,
    deleted bigint not null default 0,
    superseded bigint not null default 0,
    duplicate bigint not null default 0,
    quarantined bigint not null default 0,
    held bigint not null default 0,
    -- Certificates that a snapshot no longer holds: no rows of the delivery, so no part of the balance.
    disappeared bigint not null default 0,
    -- For a snapshot: whether the keys of the store were compared with it, or why not.
    compared text check (compared in ('compared', 'keys_unreadable', 'overtaken')),
    -- For a rejected or held batch: the rule, the reason in Chinese for the department, the detail for the engineer.
    rule_id text,
    reason text,
    detail text,
    released_by text,
    release_reason text,
    staged_at timestamptz,
    validated_at timestamptz,
    finished_at timestamptz,
    check (status = 'rejected' or (sha256 is not null and landing_path is not null)),
    check (status not in ('rejected', 'held') or (rule_id is not null and reason is not null)),
    check (status not in ('loaded', 'held', 'rejected') or finished_at is not null),
    -- The balance: every row that came is accounted for.
    check (
        status not in ('loaded', 'held')
        or coalesce(
            fetched = inserted + updated + unchanged + deleted + superseded + duplicate + quarantined + held, false
        )
    )
);
comment on table ledger.batch is '批次台账：一次交付一行';
create unique index batch_of_run on ledger.batch (department, feed, run_id, source_name, sha256);
create index batch_of_feed on ledger.batch (department, feed, batch_id);

create table ledger.watermark (
    department text collate "C" not null,
    feed text collate "C" not null,
    position_at timestamptz not null,
    -- Of the newest row, by the feed's row_id.
    position_key text[] not null,
    batch_id bigint not null references ledger.batch,
    moved_at timestamptz not null,
    primary key (department, feed)
);
comment on table ledger.watermark is '水位：各来源已入库到的时间与键';

create table ledger.rule_result (
    batch_id bigint not null references ledger.batch,
    rule_id text collate "C" not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    failed_rows bigint not null,
    -- The feed does not have the field: the rule was not asked, and that is said once for the batch.
    skipped boolean not null,
    primary key (batch_id, rule_id)
);
comment on table ledger.rule_result is '每批次每规则的结果';

create table store.certificate (
    license_type text collate "C" not null,
    certificate_key text collate "C" not null,
    certificate_identifier text collate "C",
    certificate_number text collate "C",
    certificate_name text collate "C",
    certificate_version text collate "C",
    license_type_code text collate "C",
    license_type_name text collate "C",
    issue_date date,
    issuing_authority text collate "C",
    issuing_authority_code text collate "C",
    district text collate "C",
    holder text collate "C",
    holder_code text collate "C",
    holder_code_type text collate "C",
    file_url text collate "C",
    status text collate "C",
    defining_authority text collate "C",
    defining_authority_code text collate "C",
    valid_from date,
    valid_to date,
    validity text collate "C",
    service_item_name text collate "C",
    service_item_code text collate "C",
    file_digest text collate "C",
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
    -- Marked, never removed: deleted by the department, at its time; or no longer in its register, seen at that time.
    removed_at timestamptz,
    removal text collate "C" check (removal in ('deleted', 'disappeared')),
    check ((removed_at is null) = (removal is null)),
    primary key (license_type, certificate_key)
) partition by list (license_type);
comment on table store.certificate is '市电子证照库：每证当前版本';
comment on column store.certificate.certificate_key is '本类型内唯一标识一证的字段值，由各来源的 key 指定';
comment on column store.certificate.district_delivered is '部门送来的区划原值（清洗后），district 为本市区划键';
comment on column store.certificate.version_at is '本版本的时间：来源更新时间（来源按更新时间定先后而本行没有时为1900-01-01），或到达时间';
comment on column store.certificate.removal is 'deleted 部门删除；disappeared 全量数据中不再出现';
create index certificate_holder_code on store.certificate (holder_code);
create index certificate_batch on store.certificate (batch_id);

create table store.certificate_history (
    like store.certificate,
    replaced_by_batch_id bigint not null,
    replaced_at timestamptz not null,
    primary key (license_type, certificate_key, version_no)
);
comment on table store.certificate_history is '被替换的旧版本';

create table quarantine.problem_row (
    problem_id bigint generated always as identity primary key,
    department text collate "C" not null,
    feed text collate "C" not null,
    license_type text collate "C" not null,
    certificate_key text collate "C",
    first_batch_id bigint not null references ledger.batch,
    first_row_no bigint not null,
    last_batch_id bigint not null references ledger.batch,
    last_row_no bigint not null,
    times_seen integer not null default 1,
    rules text[] not null check (cardinality(rules) > 0),
    reasons text[] not null,
    -- What came, by the department's own column names; or, where no columns could be told apart, the bytes
    -- (the first 64 KiB of them; length, offset and digest are those of the whole line in the landed file).
    payload jsonb,
    payload_bytes bytea,
    payload_length bigint,
    payload_offset bigint,
    payload_sha256 text collate "C",
    fingerprint text collate "C" not null,
    -- Of the wrong row; null where it could not be read.
    version_at timestamptz,
    status text not null default 'open' check (status in ('open', 'returned', 'corrected', 'waived', 'closed')),
    corrected_by_batch_id bigint references ledger.batch,
    opened_at timestamptz not null,
    updated_at timestamptz not null,
    check ((payload is null) <> (payload_bytes is null))
);
comment on table quarantine.problem_row is '问题数据：未入库的行，原样保留';
-- The same wrong row delivered again is the same problem, not a new one.
create unique index problem_row_unsolved on quarantine.problem_row (department, feed, fingerprint)
where status in ('open', 'returned');
-- A hash index, because the key of a wrong row may be longer than a b-tree takes.
create index problem_row_key on quarantine.problem_row using hash (certificate_key);
create index problem_row_batch on quarantine.problem_row (last_batch_id);
