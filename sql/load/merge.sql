-- name: kept_versions
-- Versions of the store, into the history; the statement that includes this one adds which ones.
insert into {history} ({kept}, replaced_by_batch_id, replaced_at)
select
    {kept_of_store},
    %(batch_id)s,
    now()
from {store} as s; -- noqa: AL05

-- name: keep_history
-- The versions that this batch will replace.
{kept_versions}
inner join staged_row as c on s.record_key = c.record_key
inner join outcome as o on c.row_no = o.row_no
where {scope} and o.is_known and o.outcome in ('updated', 'deleted');

-- name: written_rows
-- The staged rows that are written to the store, each with the set of its warnings.
select
    staged.*,
    w.warning_set
from staged_row as staged
left join mark as m on staged.row_no = m.row_no
left join ledger.warning_set as w on m.warning = w.rules
where not exists (
        select from outcome as o
        where o.row_no = staged.row_no and o.outcome not in ('updated', 'deleted')
    );

-- name: first_rows
-- The type's first rows, as a table of their own, which costs less per row than an insert and far less than a merge.
-- The branch without rows gives the columns the types and the collations of the store's columns.
create table {target} as
select {columns}
from store.certificate
where false
union all
select {values_of_new}
from ({written_rows}) as c; -- noqa: AL05

-- name: attach
select store.attach_partition(%(license_type)s, %(analysed)s::text[]);

-- name: merge
-- Staged rows into the store, new, newer and deleting ones, in one statement. The target is the data set's table, for
-- certificates the type's partition; the fields are those of the data set in the catalogue.
merge into {target} as s
using (
    select w.*
    from ({written_rows}) as w
) as c
    on {scope} and s.record_key = c.record_key
-- A delete has little more than the key: the fields of the record stay.
when matched and c.removes then
    update
        set
            removed_at = c.version_at,
            removal = 'deleted',
            version_at = c.version_at,
            row_no = c.row_no,
            version_no = s.version_no + 1,
            department = %(department)s,
            feed = %(feed)s,
            batch_id = %(batch_id)s,
            loaded_at = now()
when matched then
    update
        set
            {set_fields},
            extension = c.extension,
            district_delivered = c.district_delivered,
            version_at = c.version_at,
            row_hash = c.row_hash,
            row_no = c.row_no,
            version_no = s.version_no + 1,
            department = %(department)s,
            feed = %(feed)s,
            batch_id = %(batch_id)s,
            loaded_at = now(),
            removed_at = null,
            removal = null,
            received_hash = c.received_hash,
            warning_set = c.warning_set
when not matched then insert (
    {columns}
) values (
    {values_of_new}
);

-- name: remember_warnings
-- A number for every set of warnings that a row of this batch has.
insert into ledger.warning_set (rules)
select distinct warning
from mark_count
where critical = '{}' and warning <> '{}'
on conflict (rules) do nothing;

-- name: confirm
-- Unchanged rows are not written. But while an older delivery waits, rows that this batch confirmed must win over it.
update {store} as s
set version_at = c.version_at
from staged_row as c
inner join outcome as o on c.row_no = o.row_no
where
    {scope} and s.record_key = c.record_key
    and o.outcome = 'unchanged' and s.version_at < c.version_at;

-- name: remember_received
-- A row that was processed completely and equals the store's: it was written differently, or under another
-- configuration. From now on it is recognised in the form received today. Columns that were added after the row was
-- stored are filled, too.
update {store} as s
set
    received_hash = c.received_hash,
    warning_set = w.warning_set{set_of_certificates}
from staged_row as c
inner join outcome as o on c.row_no = o.row_no
left join mark as m on c.row_no = m.row_no
left join ledger.warning_set as w on m.warning = w.rules
where
    {scope} and s.record_key = c.record_key and o.outcome = 'unchanged' and not c.removes
    -- As in stage/recognise: the planner must not estimate here.
    and coalesce(
        s.department = %(department)s and s.feed = %(feed)s and s.received_hash is distinct from c.received_hash, false
    );
