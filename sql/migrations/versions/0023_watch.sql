-- docs/decisions/0060: what is out of order now, and what people were told of it by each channel. No evidence: a row
-- that is over is deleted.
create schema watch;

create table watch.finding (
    finding_key text collate "C" primary key,
    -- Who saw it: only the same observer can say that it is over.
    observer text collate "C" not null,
    kind text collate "C" not null,
    urgency text collate "C" not null check (urgency in ('urgent', 'problem', 'reminder')),
    text text not null,
    -- What matters of it: people are told again when this changes, and not for another wording.
    state text not null,
    links jsonb not null,
    since timestamptz not null default clock_timestamp(),
    changed_at timestamptz not null default clock_timestamp(),
    -- Not seen any more since then: over, unless it is soon seen again.
    over_since timestamptz
);
comment on table watch.finding is '当前异常：运行、批次、清单、数据源、磁盘、工作日历、证书与口令';

create table watch.observer (
    observer text collate "C" primary key,
    looked_at timestamptz not null
);
comment on table watch.observer is '各项检查最近一次完成的时间';

create table watch.told (
    channel text collate "C" not null,
    finding_key text collate "C" not null,
    urgency text collate "C" not null,
    text text not null,
    state text not null,
    told_at timestamptz not null default clock_timestamp(),
    primary key (channel, finding_key)
);
comment on table watch.told is '各通知渠道已告知、尚未告知恢复的异常';

create table watch.message (
    message_id bigint generated always as identity primary key,
    channel text collate "C" not null,
    title text not null,
    lines text[] not null,
    sent_at timestamptz not null default clock_timestamp(),
    failure text
);
comment on table watch.message is '发出的异常通知；failure 为未送达的原因';

create table watch.task_failure (
    dag_id text collate "C" not null,
    run_id text collate "C" not null,
    task_id text collate "C" not null,
    map_index integer not null,
    label text not null,
    reason text not null,
    failed_at timestamptz not null default clock_timestamp(),
    primary key (dag_id, run_id, task_id, map_index)
);
comment on table watch.task_failure is '最后一次重试仍失败的任务及其原因；该任务其后成功即删除';

create table watch.expiry (
    name text collate "C" primary key,
    last_day date not null,
    read_at timestamptz not null default clock_timestamp()
);
comment on table watch.expiry is '数据源与本站证书的最后有效日，每日读取一次';
