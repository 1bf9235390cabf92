select distinct list_id
from difference
