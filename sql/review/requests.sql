select *
from review.request
where not %(waiting)s or finished_at is null
order by request_id desc
limit %(limit)s
