insert into clearance.reveal (list_id, record_key, revealed_by, reason)
values (%(list_id)s, %(record_key)s, %(revealed_by)s, %(reason)s)
