-- docs/validation-review.md says what becomes of problem records, and what the nightly report counts.

-- landed_at is when the bytes first came: it cannot tell of which night a batch is.
alter table ledger.batch add column recorded_at timestamptz;
update ledger.batch set recorded_at = coalesce(staged_at, landed_at);
alter table ledger.batch alter column recorded_at set default clock_timestamp();
alter table ledger.batch alter column recorded_at set not null;
comment on column ledger.batch.recorded_at is '登记时间，按北京时间的日期归入各夜';
create index batch_recorded on ledger.batch (recorded_at);

alter table ledger.batch add column origin text collate "C" not null default 'delivery'
check (origin in ('delivery', 'replay', 'redrive'));
alter table ledger.batch add column redrives_batch_id bigint references ledger.batch;
alter table ledger.batch add check ((origin = 'delivery') = (redrives_batch_id is null));
comment on column ledger.batch.origin is
'delivery 部门送来；replay 原落地文件重走一遍；redrive 由留存的问题数据重走一遍';
comment on column ledger.batch.redrives_batch_id is '重走的是哪一批次';

-- What is needed to tell how a delivery differs from the one before.
alter table ledger.batch add column columns text[] not null default '{}';
alter table ledger.batch add column warned bigint not null default 0;
comment on column ledger.batch.columns is '部门送来的列名，按其先后';
comment on column ledger.batch.warned is '入库而有警告的行数';

-- From the first rows of a delivery: a column that is another thing than before is seen by it.
create table ledger.column_shape (
    batch_id bigint not null references ledger.batch,
    place integer not null,
    column_name text collate "C" not null,
    sampled bigint not null,
    filled bigint not null,
    digits bigint not null,
    dates bigint not null,
    han bigint not null,
    average_length numeric not null,
    primary key (batch_id, place)
);
comment on table ledger.column_shape is '各批次前若干行中每列的形态：非空、纯数字、日期、含汉字的行数与平均长度';

create table ledger.warned_row (
    batch_id bigint not null references ledger.batch,
    rule_id text collate "C" not null,
    row_no bigint not null,
    record_key text collate "C",
    primary key (batch_id, rule_id, row_no)
);
comment on table ledger.warned_row is '各批次每条警告规则的前若干行：入库而有警告';

create table ledger.decision (
    decision_id bigint generated always as identity primary key,
    batch_id bigint not null references ledger.batch,
    decision text collate "C" not null check (decision in ('released', 'rejected')),
    decided_by text not null check (btrim(decided_by) <> ''),
    reason text not null check (btrim(reason) <> ''),
    decided_at timestamptz not null default clock_timestamp()
);
comment on table ledger.decision is '暂扣批次的放行与退回：谁、何时、为何';
create index decision_batch on ledger.decision (batch_id);
insert into ledger.decision (batch_id, decision, decided_by, reason, decided_at)
select
    batch_id,
    'released',
    released_by,
    release_reason,
    coalesce(finished_at, recorded_at)
from ledger.batch
where btrim(released_by) <> '' and btrim(release_reason) <> '';

alter table quarantine.problem_row add column first_opened_at timestamptz;
alter table quarantine.problem_row add column attempts integer not null default 1;
alter table quarantine.problem_row add column solution text collate "C"
check (solution in ('corrected', 'deleted', 'gone', 'replaced', 'waived'));
alter table quarantine.problem_row add column replaced_by_problem_id bigint references quarantine.problem_row;
alter table quarantine.problem_row add column return_id bigint;
alter table quarantine.problem_row add column due_on date;
alter table quarantine.problem_row add column waived_until date;
alter table quarantine.problem_row add column solved_at timestamptz;
alter table quarantine.problem_row add column closed_at timestamptz;
update quarantine.problem_row
set
    first_opened_at = opened_at,
    solution = case status when 'corrected' then 'corrected' when 'closed' then 'deleted' end,
    solved_at = case when status in ('corrected', 'closed') then updated_at end,
    closed_at = case when status = 'closed' then updated_at end;
alter table quarantine.problem_row alter column first_opened_at set not null;
alter table quarantine.problem_row add check ((status in ('corrected', 'closed')) = (solution is not null));
alter table quarantine.problem_row add check ((status in ('corrected', 'closed')) = (solved_at is not null));
alter table quarantine.problem_row add check ((status = 'closed') = (closed_at is not null));
alter table quarantine.problem_row add check ((solution = 'replaced') = (replaced_by_problem_id is not null));
comment on column quarantine.problem_row.first_opened_at is '同一条数据首次出错的时间：改错后再错，时限不重新起算';
comment on column quarantine.problem_row.attempts is '同一条数据第几次出错';
comment on column quarantine.problem_row.solution is
'如何了结：corrected 部门更正后入库；deleted 部门删除；gone 全量数据中不再出现；replaced 改后仍错，另立一条；waived 豁免到底';
comment on column quarantine.problem_row.due_on is '退回后应整改到的日期';
comment on column quarantine.problem_row.waived_until is '豁免的最后一日，空为不限期';

drop index quarantine.problem_row_unsolved;
-- What is waived is the same problem when it comes again.
create unique index problem_row_unsolved on quarantine.problem_row (department, feed, fingerprint)
where status in ('open', 'returned', 'waived');
-- Lists of problem records are counted, and the numbers of a page found, in this index alone.
create index problem_row_standing on quarantine.problem_row (status, department, feed, problem_id)
include (license_type, first_batch_id, last_batch_id, due_on, opened_at, first_opened_at);
create index problem_row_rules on quarantine.problem_row using gin (rules);
create index problem_row_return on quarantine.problem_row (return_id) include (status, solution)
where return_id is not null;
create index problem_row_first_batch on quarantine.problem_row (first_batch_id);

create table quarantine.problem_event (
    event_id bigint generated always as identity primary key,
    problem_id bigint not null references quarantine.problem_row,
    event text collate "C" not null check (
        event in (
            'returned', 'corrected', 'deleted', 'gone', 'replaced', 'waived', 'waiver_ended', 'closed', 'redriven'
        )
    ),
    happened_at timestamptz not null default now(),
    -- Null for the pipeline itself.
    done_by text check (btrim(done_by) <> ''),
    reason text,
    batch_id bigint references ledger.batch,
    return_id bigint,
    until_on date
);
comment on table quarantine.problem_event is '问题数据的经过：谁、何时、做了什么、为何，只增不改';
create index problem_event_problem on quarantine.problem_event (problem_id, event_id);
create index problem_event_return on quarantine.problem_event (return_id) where event = 'returned';

create table quarantine.problem_return (
    return_id bigint generated always as identity primary key,
    department text collate "C" not null,
    made_at timestamptz not null default now(),
    made_by text not null check (btrim(made_by) <> ''),
    -- The request of a page that it was made for: done again, that finds it.
    request_id bigint unique,
    due_on date not null,
    problems bigint not null default 0,
    -- Name, bytes and digest of each file in the department's folder; null until they are written.
    files jsonb
);
comment on table quarantine.problem_return is '退回：一次退给一个部门的问题数据';
alter table quarantine.problem_row add foreign key (return_id) references quarantine.problem_return;
alter table quarantine.problem_event add foreign key (return_id) references quarantine.problem_return;

create table quarantine.hand_over (
    hand_over_id bigint generated always as identity primary key,
    return_id bigint not null references quarantine.problem_return,
    channel text collate "C" not null check (channel in ('folder', 'exchange_table', 'download')),
    item text not null,
    handed_over_by text not null check (btrim(handed_over_by) <> ''),
    handed_over_at timestamptz not null default clock_timestamp()
);
comment on table quarantine.hand_over is '退回文件的每一次交付：放入部门目录、写入前置库、经页面下载';
create index hand_over_return on quarantine.hand_over (return_id);

create table quarantine.redriven_row (
    batch_id bigint not null references ledger.batch,
    row_no bigint not null,
    problem_id bigint not null references quarantine.problem_row,
    primary key (batch_id, row_no)
);
comment on table quarantine.redriven_row is '重走批次的哪一行是哪一条问题数据';

create schema review;

create table review.request (
    request_id bigint generated always as identity primary key,
    kind text collate "C" not null check (kind in ('return', 'redrive', 'release')),
    department text collate "C" not null,
    feed text collate "C",
    batch_id bigint references ledger.batch,
    -- For a return: these problems alone, null for all that are open.
    problem_ids bigint[],
    asked_by text not null check (btrim(asked_by) <> ''),
    reason text not null check (btrim(reason) <> ''),
    asked_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    failed boolean not null default false,
    outcome text
);
comment on table review.request is '页面上提出、由后台执行的处理请求';
create index request_waiting on review.request (request_id) where finished_at is null;

create table review.night_report (
    night date not null,
    version integer not null check (version > 0),
    made_at timestamptz not null default now(),
    figures jsonb not null,
    primary key (night, version)
);
comment on table review.night_report is '归集校验日报：每夜每版一份，发布后不再改动';

create table review.store_count (
    license_type text collate "C" not null,
    department text collate "C" not null,
    standing bigint not null,
    removed bigint not null,
    counted_at timestamptz not null,
    primary key (license_type, department)
);
comment on table review.store_count is '各类型在库证照数，每夜清点';

create table review.ledger_entry (
    entry_id bigint generated always as identity primary key,
    entry_no text collate "C" not null unique,
    kind text collate "C" not null check (kind in ('stale_feed', 'problem_share', 'overdue_reviews')),
    department text collate "C" not null,
    feed text collate "C" not null default '',
    description text not null,
    opened_on date not null,
    notified_on date,
    notified_by text,
    updated_on date not null,
    written_off_on date,
    evidence text,
    check ((written_off_on is null) = (evidence is null))
);
comment on table review.ledger_entry is '问题台账（附件3）：持续存在的问题，自动立项、凭据销号';
create unique index ledger_entry_standing on review.ledger_entry (kind, department, feed)
where written_off_on is null;
