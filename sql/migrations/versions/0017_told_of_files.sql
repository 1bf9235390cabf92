-- docs/decisions/0033: sums and remarks below a table are no rows, but they are counted and told.
alter table ledger.batch add column footers bigint not null default 0;
comment on column ledger.batch.footers is '表尾行（合计、制表人等）的行数，不计入取得';
alter table ledger.batch add column notes text[] not null default '{}';
comment on column ledger.batch.notes is '读取说明：标题行、分隔符行、另一种编码的行、表尾行等，不含数据值';

create table ledger.untaken_file (
    untaken_id bigint generated always as identity primary key,
    connection text collate "C" not null,
    name text collate "C" not null,
    source_bytes bigint not null,
    source_modified_at timestamptz not null,
    department text collate "C" not null,
    reason text not null,
    first_run_id text collate "C" not null,
    first_seen_at timestamptz not null default now(),
    last_seen_at timestamptz not null default now(),
    gone_at timestamptz,
    unique (connection, name, source_bytes, source_modified_at)
);
comment on table ledger.untaken_file is '投放目录中没有来源接收的文件，每个文件报告一次';
comment on column ledger.untaken_file.name is '连接地址以下的路径';
comment on column ledger.untaken_file.gone_at is '不再见于投放目录的时间';
create index untaken_file_run on ledger.untaken_file (department, first_run_id);
