-- For candidates.sql: no batch changed any.
select null::text as record_key
where false
