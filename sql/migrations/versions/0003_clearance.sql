-- docs/daily-clearance.md says what the lists mean and how they are kept.
create schema clearance;

-- What the publishing asks of the store: the evaluations of a service, those of a day, and the versions that a batch
-- replaced. The versions of a case are read by their key.
create index evaluation_service on store.evaluation (case_number, service_number);
create index evaluation_evaluated on store.evaluation (evaluated_at);
create index evaluation_bad on store.evaluation (evaluated_at)
where level in ('dissatisfied', 'very_dissatisfied') and is_effective = 'yes';
create index evaluation_history_replaced on store.evaluation_history (replaced_by_batch_id);
create index service_case_history_replaced on store.service_case_history (replaced_by_batch_id);

create table clearance.calendar (
    calendar_id integer generated always as identity primary key,
    digest text collate "C" not null unique,
    kept_at timestamptz not null
);
comment on table clearance.calendar is '工作日历：各清单所用的版本，按摘要留存';

create table clearance.calendar_day (
    calendar_id integer not null references clearance.calendar,
    day date not null,
    is_working boolean not null,
    -- Working days from the calendar's first day to this one, both counted.
    working_days integer not null,
    is_assumed boolean not null,
    primary key (calendar_id, day)
);
comment on table clearance.calendar_day is '工作日历的每一天';
comment on column clearance.calendar_day.is_assumed is '官方日历与本市补充表均未覆盖，按周一至周五推定';
create index calendar_working_day on clearance.calendar_day (calendar_id, working_days) where is_working;

create table clearance.basis (
    is_only boolean primary key default true check (is_only),
    calendar_id integer not null references clearance.calendar,
    numbers jsonb not null
);
comment on table clearance.basis is '最近一次处理所用的日历与口径参数，可疑评价、差评与比率按此计算';

create table clearance.applied_batch (
    batch_id bigint primary key references ledger.batch,
    applied_at timestamptz not null
);
comment on table clearance.applied_batch is '已计入 clearance.service 的办件、评价批次';

-- Few against the services: a list is sorted, grouped and narrowed by places, and a row of it stays small.
-- A blank part is '', so that places can be joined. No unique index: a name may be longer than a b-tree takes. Rows are
-- added under the lock of the publishing alone.
create table clearance.place (
    place_id integer generated always as identity primary key,
    district text collate "C" not null,
    handling_department text collate "C" not null,
    hall text collate "C" not null,
    "window" text collate "C" not null,
    handler text collate "C" not null
);
comment on table clearance.place is '区划、承办部门、大厅、窗口、经办人的组合，空值记为空串';

create table clearance.service (
    record_key text collate "C" primary key,
    version_no integer not null,
    place_id integer not null,
    service_item_code text collate "C",
    finished_at timestamptz,
    rated_at timestamptz,
    default_at timestamptz
);
comment on table clearance.service is '办件服务的评价状态，由办件与评价逐批推得，可随时重建';
comment on column clearance.service.version_no is 'store.service_case 的版本';
comment on column clearance.service.finished_at is '办结时间；不可评价（未办结、内部、已移除）时为空';
comment on column clearance.service.rated_at is '最早一次本人有效评价的时间';
comment on column clearance.service.default_at is '最早一次有效系统默认评价的时间';
create index service_finished on clearance.service (finished_at) where finished_at is not null;
create index service_rated on clearance.service (rated_at) where rated_at is not null;
create index service_default on clearance.service (default_at) where default_at is not null;

create table clearance.touched (
    record_key text collate "C" primary key,
    is_compared boolean not null
);
comment on table clearance.touched is '最近一张主线清单之后状态有变的办件服务';
comment on column clearance.touched.is_compared is '已与近几日的终版清单比对过';

create table clearance.touched_day (
    touch_id bigint generated always as identity primary key,
    day date not null
);
comment on table clearance.touched_day is '比率计数待重算的日子，重复无妨';

create table clearance.list (
    list_id bigint primary key,
    day date not null,
    kind text collate "C" not null check (kind in ('working', 'final')),
    version integer not null check (version > 0),
    cutoff_at timestamptz not null,
    published_at timestamptz not null,
    is_trunk boolean not null,
    base_list bigint references clearance.list,
    corrections bigint[] not null,
    yesterday_list bigint references clearance.list,
    oldest_finish timestamptz not null,
    calendar_id integer not null references clearance.calendar,
    calendar_note text,
    archive_after_working_days integer not null,
    deadline_working_days integer not null,
    unrated bigint not null default 0,
    default_rated bigint not null default 0,
    new bigint not null default 0,
    carried_over bigint not null default 0,
    reopened bigint not null default 0,
    cleared bigint not null default 0,
    withdrawn bigint not null default 0,
    archived bigint not null default 0,
    archived_total bigint not null default 0,
    stale jsonb not null,
    unique (day, kind, version),
    check (unrated + default_rated = new + carried_over + reopened)
);
comment on table clearance.list is '日清清单：每日每种每版一行，发布后不再改动';
comment on column clearance.list.is_trunk is '主线：按发布先后的各日首版';
comment on column clearance.list.base_list is '本版以哪张主线清单为底，主线清单为其自身，之前没有主线清单时为空';
comment on column clearance.list.corrections is '在底单之上依次叠加差异的各版，见 clearance.correction';
comment on column clearance.list.yesterday_list is '判断结转、重现所对照的上一日终版清单版本';
comment on column clearance.list.oldest_finish is '办结早于此时刻的已超过留单期限，不再列出';
comment on column clearance.list.archived_total is '截至本单累计因超期未评而归档的办件服务';
comment on column clearance.list.stale is '截止时刻之后未再读取的来源：[{name, title, read_at}]';

-- No foreign keys to the lists: they would be checked row by row for a million rows.
create table clearance.entry (
    record_key text collate "C" not null,
    first_list bigint not null,
    until_list bigint,
    version_no integer not null,
    place_id integer not null,
    finished_at timestamptz not null,
    default_at timestamptz,
    since_day date not null,
    is_reopened boolean not null,
    primary key (record_key, first_list)
);
comment on table clearance.entry is '办件服务在主线清单上的一段停留：自 first_list 起，至 until_list 之前';
comment on column clearance.entry.version_no is '所示办件内容的版本，见 store.service_case 及其历史';
comment on column clearance.entry.default_at is '有值即属「系统默认评价」一栏';
comment on column clearance.entry.since_day is '本次停留的首张清单之日';
comment on column clearance.entry.is_reopened is '本次停留以重现开始，否则以新增开始';
create index entry_until on clearance.entry (until_list, place_id);

create table clearance.correction (
    list_id bigint not null,
    record_key text collate "C" not null,
    change text collate "C" not null check (change in ('added', 'removed', 'changed')),
    version_no integer not null,
    place_id integer not null,
    finished_at timestamptz not null,
    default_at timestamptz,
    since_day date not null,
    is_reopened boolean not null,
    primary key (list_id, record_key)
);
comment on table clearance.correction is '后续版本相对前一版的差异；补发清单相对其底单的差异。removed 行留有移除前的内容';
create index correction_record on clearance.correction (record_key, list_id);

create table clearance.archived (
    record_key text collate "C" primary key,
    list_id bigint not null,
    cutoff_at timestamptz not null
);
comment on table clearance.archived is '超过留单期限仍未评价而归档的办件服务，归档后不再上单';
comment on column clearance.archived.cutoff_at is '归档它的清单的截止时刻';

-- Texts of any length, so no key over them: a day is replaced as a whole.
create table clearance.rate_count (
    day date not null,
    district text collate "C",
    handling_department text collate "C",
    service_item_code text collate "C",
    effective bigint not null,
    effective_positive bigint not null,
    own bigint not null,
    own_positive bigint not null,
    evaluable bigint not null,
    evaluable_own bigint not null,
    evaluable_any bigint not null,
    day_unrated bigint not null,
    day_cleared bigint not null,
    bad_due bigint not null,
    bad_rectified bigint not null,
    bad_called_and_rectified bigint not null
);
comment on table clearance.rate_count is '比率的分子与分母，按日、区划、承办部门、事项；口径见 sql/clearance/count_rates.sql';
create index rate_count_day on clearance.rate_count (day);

create table clearance.reveal (
    reveal_id bigint generated always as identity primary key,
    list_id bigint not null references clearance.list,
    record_key text collate "C" not null,
    revealed_by text not null check (btrim(revealed_by) <> ''),
    reason text not null check (btrim(reason) <> ''),
    revealed_at timestamptz not null default clock_timestamp()
);
comment on table clearance.reveal is '查看清单上完整联系电话的留痕：谁、何时、为何';
create index reveal_list on clearance.reveal (list_id, record_key);
