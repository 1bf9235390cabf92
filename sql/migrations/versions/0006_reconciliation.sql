create schema reconciliation;

-- Owned by the reconciliation: what a source and the store do not agree on. The collection rate counts what is missing.
create table reconciliation.difference (
    difference_id bigint generated always as identity primary key,
    department text collate "C" not null,
    feed text collate "C" not null,
    dataset text collate "C" not null,
    license_type text collate "C",
    record_key text collate "C" not null,
    kind text collate "C" not null check (kind in ('missing_in_store', 'missing_at_source', 'differs')),
    found_at timestamptz not null default now(),
    seen_at timestamptz not null default now(),
    settled_at timestamptz,
    check ((dataset = 'certificate') = (license_type is not null))
);
comment on table reconciliation.difference is '比对差异：来源与库不一致的记录';
create unique index difference_standing on reconciliation.difference (department, feed, record_key)
where settled_at is null;
