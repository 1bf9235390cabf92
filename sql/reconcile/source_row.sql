create temporary table source_row (
    record_key text collate "C" not null,
    version_at timestamptz not null
)
