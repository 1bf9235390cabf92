-- name: ask
select
    review.ask(
        %(kind)s, %(department)s, %(feed)s, %(batch_id)s, %(problem_ids)s::bigint[], %(asked_by)s, %(reason)s
    ) as request_id;

-- name: requests
select *
from review.request
where not %(waiting)s or finished_at is null
order by request_id desc
limit %(limit)s;

-- name: finish_request
update review.request
set
    finished_at = clock_timestamp(),
    failed = %(failed)s,
    outcome = %(outcome)s
where request_id = %(request_id)s;

-- name: return_made_for
-- The return that an earlier try of a request made.
select return_id
from quarantine.problem_return
where request_id = %(request_id)s;
