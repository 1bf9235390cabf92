select
    calendar_id,
    numbers
from clearance.basis
