select exists(
    select from quarantine.problem_row
    where department = %(department)s and feed = %(feed)s and status in ('open', 'returned', 'waived')
)
