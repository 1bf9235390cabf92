update ledger.batch
set
    status = 'staged',
    fetched = %(fetched)s,
    staged = %(staged)s,
    recognised = %(recognised)s,
    recognised_after = %(recognised_after)s,
    blank_lines = %(blank_lines)s,
    footers = %(footers)s,
    notes = %(notes)s,
    columns = %(columns)s,
    unknown_columns = %(unknown_columns)s,
    sheets = %(sheets)s,
    staged_at = now(),
    validated_at = null
where batch_id = %(batch_id)s
