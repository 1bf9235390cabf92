create unlogged table recognised_row (row_no bigint, record_key text collate "C", warning_set integer)
with (autovacuum_enabled = off)
