select calendar_id
from clearance.calendar
where digest = %(digest)s
