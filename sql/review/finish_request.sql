update review.request
set
    finished_at = clock_timestamp(),
    failed = %(failed)s,
    outcome = %(outcome)s
where request_id = %(request_id)s
