-- The versions that this batch is about to replace.
{kept_versions}
inner join staged_row as c on s.record_key = c.record_key
inner join outcome as o on c.row_no = o.row_no
where {scope} and o.is_known and o.outcome in ('updated', 'deleted')
