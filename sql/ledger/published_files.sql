-- name: record
insert into ledger.published_file (path, bytes, sha256)
values (%(path)s, %(bytes)s, %(sha256)s);

-- name: newest
select sha256
from ledger.published_file
where path = %(path)s
order by file_id desc
limit 1;
