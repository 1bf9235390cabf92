-- End the session of whoever works on a batch (`Road._alone_with`): its step is rolled back.
select pg_terminate_backend(pid)
from pg_locks
where
    locktype = 'advisory' and granted and objsubid = 1
    and database = (
        select oid
        from pg_database
        where datname = current_database()
    )
    and ((classid::bigint << 32) | objid::bigint) = hashtextextended('zhengku.batch.' || %(batch_id)s, 0)
