update quarantine.problem_return
set problems = %(problems)s
where return_id = %(return_id)s
