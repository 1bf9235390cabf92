-- Rows that could not be read as records.
create unlogged table bad_row (
    row_no bigint not null,
    rule_id text not null,
    detail text not null,
    byte_offset bigint not null,
    byte_length bigint not null,
    sha256 text not null,
    payload bytea not null
)
with (autovacuum_enabled = off)
