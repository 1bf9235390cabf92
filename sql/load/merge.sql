-- Staged rows into the store, new, newer and deleting ones alike, in one statement. The target is the data set's table,
-- of certificates the type's partition; the fields are those of the data set in the catalogue.
merge into {target} as s
using (
    select w.*
    from ({written_rows}) as w
) as c
    on {scope} and s.record_key = c.record_key
-- A delete carries little but the key: what was known of the record stays.
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
)
