insert into quarantine.hand_over (return_id, channel, item, handed_over_by)
values (%(return_id)s, %(channel)s, %(item)s, %(handed_over_by)s)
