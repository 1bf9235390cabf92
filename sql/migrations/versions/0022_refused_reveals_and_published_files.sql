-- A try to see a telephone number that was refused is evidence, too: it is recorded with the cause of the refusal.
alter table clearance.reveal
add column refusal text collate "C" check (refusal in ('over_limit', 'not_listed', 'no_phone', 'no_reason')),
drop constraint reveal_reason_check,
add constraint reveal_reason_check check (refusal is not null or btrim(reason) <> '');
comment on column clearance.reveal.refusal is '未予显示的原因；空为已显示';
-- Counted at each reveal, for the limit of a person.
create index reveal_person on clearance.reveal (revealed_by, revealed_at);

create table ledger.published_file (
    file_id bigint generated always as identity primary key,
    -- Below the folder of reports.
    path text collate "C" not null,
    bytes bigint not null,
    sha256 text collate "C" not null,
    written_at timestamptz not null default clock_timestamp()
);
comment on table ledger.published_file is '日报、清单等文件每次写成时的摘要：下载前核对，只增不改';
create index published_file_path on ledger.published_file (path, file_id);
