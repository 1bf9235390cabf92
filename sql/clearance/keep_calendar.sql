insert into clearance.calendar (digest, kept_at)
values (%(digest)s, now())
returning calendar_id
