update quarantine.problem_return
set files = %(files)s
where return_id = %(return_id)s
