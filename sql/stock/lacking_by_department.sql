select *
from pg_temp.lacking
order by department, license_type, kind, produced_at, problem_id, certificate_number
