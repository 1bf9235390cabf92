update clearance.list
set
    unrated = %(unrated)s,
    default_rated = %(default_rated)s,
    new = %(new)s,
    carried_over = %(carried_over)s,
    reopened = %(reopened)s,
    cleared = %(cleared)s,
    withdrawn = %(withdrawn)s,
    archived = %(archived)s,
    archived_total = %(archived_total)s
where list_id = %(list_id)s
returning *
