-- docs/decisions/0058: evidence is only added to, and sealed in a chain. Functions and triggers are in
-- sql/functions/audit.sql.
create schema audit;

create table audit.seal (
    seal_id bigint primary key check (seal_id > 0),
    sealed_from timestamptz not null,
    sealed_until timestamptz not null,
    sealed_at timestamptz not null default clock_timestamp(),
    sealed_rows bigint not null,
    head_before bytea,
    head bytea not null,
    check (sealed_from < sealed_until),
    check ((seal_id = 1) = (head_before is null))
);
comment on table audit.seal is '存证封条：每次封存一段时间内新增的全部留痕，各条以摘要首尾相连';
comment on column audit.seal.head is '链首：上一封条的链首、本段起止与各类留痕摘要的摘要';

create table audit.seal_part (
    seal_id bigint not null references audit.seal,
    kind text collate "C" not null,
    digested_columns text[] not null,
    sealed_rows bigint not null,
    digest bytea not null,
    primary key (seal_id, kind)
);
comment on table audit.seal_part is '封条中各类留痕：所取的列、条数与摘要';

-- Written and read by the seal, and read as a whole.
create table audit.leaf (
    seal_id bigint not null,
    kind text collate "C" not null,
    row_key text collate "C" not null,
    digest bytea not null
);
create index leaf_seal on audit.leaf (seal_id);
comment on table audit.leaf is '封条中每一条留痕的摘要，用以指出哪一条被改';

-- The moment at which the server wrote a list; published_at is the moment that the list was made for.
alter table clearance.list add column written_at timestamptz;
update clearance.list set written_at = published_at;
alter table clearance.list alter column written_at set default clock_timestamp();
alter table clearance.list alter column written_at set not null;
comment on column clearance.list.written_at is '写入数据库的时间，按此封存';

alter table review.night_report add column seal_id bigint references audit.seal;
comment on column review.night_report.seal_id is '报告印有其链首的封条，此前的报告为空';

-- The pages ask for the rejection of a batch, too: their account of the database changes no batch.
alter table review.request drop constraint request_kind_check;
alter table review.request add constraint request_kind_check
check (kind in ('return', 'redrive', 'release', 'reject', 'mend'));

alter table quarantine.hand_over add column sha256 text collate "C";
comment on column quarantine.hand_over.sha256 is '所交文件的摘要；写入前置库的退回数据没有文件，为空';

-- What was staged is in the balance: it cannot be zeros for a batch that has rows.
alter table ledger.batch add constraint batch_balance_covers_staged check (
    status <> 'loaded' or fetched >= greatest(coalesce(staged, 0), recognised)
);
