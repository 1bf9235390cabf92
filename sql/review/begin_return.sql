insert into quarantine.problem_return (department, made_by, due_on)
values (%(department)s, %(made_by)s, %(due_on)s)
returning return_id
