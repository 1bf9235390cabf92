insert into quarantine.problem_return (department, made_by, request_id, due_on)
values (%(department)s, %(made_by)s, %(request_id)s, %(due_on)s)
returning return_id
