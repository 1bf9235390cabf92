select
    position_at,
    position_key
from ledger.watermark
where department = %(department)s and feed = %(feed)s
