-- The return that an earlier try of a request made.
select return_id
from quarantine.problem_return
where request_id = %(request_id)s
