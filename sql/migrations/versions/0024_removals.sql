-- docs/decisions/0068: written before the removal, and completed after it. Evidence: only added to.
create table ledger.removal (
    removal_id bigint generated always as identity primary key,
    kind text collate "C" not null check (kind in ('landed', 'report', 'return', 'task_log', 'rows', 'airflow')),
    -- Of a file or folder the path below the landing area, the folder of reports, returns or logs; of rows, the table.
    name text collate "C" not null,
    batch_ids bigint[] not null default '{}',
    files bigint,
    bytes bigint,
    sha256 text collate "C",
    removed_rows bigint,
    -- The newest time of what was removed, by which it was too old.
    newest_at timestamptz,
    -- The setting and its number of days.
    rule text collate "C" not null,
    recorded_at timestamptz not null default clock_timestamp(),
    removed_at timestamptz
);
comment on table ledger.removal is '到期清理记录：清理前写入，清理后补记时间，只增不改';
comment on column ledger.removal.removed_at is '空为已决定而尚未清理完，下次运行补完';
create index removal_landed on ledger.removal (name) where kind = 'landed';
create index removal_unfinished on ledger.removal (removal_id) where removed_at is null;
create index removal_recorded on ledger.removal (recorded_at);
-- Which batches have a landed file, and which problem records refer to a batch.
create index batch_landing_path on ledger.batch using hash (landing_path);
