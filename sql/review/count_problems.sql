select count(q.problem_id)
from ({chosen}) as q
