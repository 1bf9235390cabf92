insert into stock.expiry (
    day, department, license_type, later, endless, untold, unknown, expiring, expired,
    expired_as_valid, expiring_days
) values (
    %(day)s, %(department)s, %(license_type)s, %(later)s, %(endless)s, %(untold)s, %(unknown)s, %(expiring)s,
    %(expired)s, %(expired_as_valid)s, %(expiring_days)s
)
