select
    day,
    expiring_days,
    department,
    license_type,
    later,
    endless,
    untold,
    unknown,
    expiring,
    expired,
    expired_as_valid
from stock.expiry
where day = (select max(e.day) from stock.expiry as e)
order by department, license_type
